import Foundation

/// Rules for texts that a store keeps. SQLite would cut them off at a NUL character, so that one
/// user's name could be another's, and what is hashed would not be what is stored: they are refused
/// before anything is done with them.
public enum TextRules {
    /// - Throws: ``StoreError`` if a text would not be stored as it is.
    public static func requireStorable(_ texts: [String?]) throws {
        guard texts.allSatisfy({ !($0.map(holdsNUL) ?? false) }) else {
            throw StoreError(
                .invalidText,
                "A text or name holds a NUL character and cannot be kept as text. Remove it; is this a binary file?"
            )
        }
    }

    /// - Throws: ``StoreError`` if a text of a request would not be stored as it is.
    static func requireStorable(_ request: WriteRequest) throws {
        try requireStorable([request.idempotencyKey] + request.caller.texts)
        for mutation in request.mutations { try requireStorable(mutation.texts) }
    }

    /// Looks at the bytes where they lie: an import's texts are all looked through.
    private static func holdsNUL(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        } ?? text.utf8.contains(0)
    }

    /// A text for places where refusing is too late: it says where a NUL character was.
    public static func whole(_ text: String) -> String {
        text.utf8.contains(0)
            ? String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "␀" : $0 }))
            : text
    }
}

extension Caller {
    package var texts: [String?] { [operation, reason, request] + principal.texts }
}

extension Principal {
    package var texts: [String?] { [name, tenant, user, agent] + roles }
}

extension Owner {
    package var texts: [String?] { [tenant, user] }
}

extension Mutation {
    fileprivate var texts: [String?] {
        switch self {
        case .add(let cube, _, _, let links): cube.texts + links.map(\.kind)
        case .adopt(let cube, let history, _, _):
            cube.texts
                + history.flatMap {
                    [$0.principal, $0.reason, $0.link?.kind] + ($0.snapshot?.texts ?? [])
                }
        case .update(let cube, _, _), .rollback(let cube, _, _): cube.texts
        case .link(let link), .unlink(let link): [link.kind]
        case .archive, .restore, .merge, .freeze, .quarantine, .release, .invalidate, .confirm,
            .move, .erase:
            []
        }
    }
}

extension MemCube {
    var texts: [String?] {
        header.texts + payload.texts + derived.texts + [
            lifecycle.vouchedBy, provenance.source, provenance.reference,
        ]
    }
}

extension MemCube.Header {
    fileprivate var texts: [String?] {
        [scope.agent, scope.session, speaker] + scope.owner.texts + tags
            + metadata.flatMap { [$0.key, $0.value] }
    }
}

extension Payload {
    fileprivate var texts: [String?] {
        switch self {
        case .plaintext(let text): [text]
        case .activation(let kept, let text):
            [text, kept.block, kept.model, kept.modelHash] + kept.sources
        case .parametric(let kept, let text):
            [text, kept.name, kept.model, kept.modelHash, kept.hash] + kept.sources
        }
    }
}

extension MemCube.Derived {
    fileprivate var texts: [String?] {
        entities + keywords + dates.map(\.text)
            + claims.flatMap { [$0.subject, $0.attribute, $0.value] }
            + (caution ?? [])
    }
}

/// Texts that a filter is compared by.
extension CubeFilter {
    package var texts: [String?] { [agent, session, tag, afterProgress] + owner.texts }
}

/// Texts of a job, which anybody with the permission may choose.
extension Job {
    package var texts: [String?] {
        [kind, worker, message, schedule] + (owner?.texts ?? [])
            + arguments.flatMap { [$0.key, $0.value] }
    }
}

extension AuditEntry {
    /// As it is read back once it is stored: what is hashed must be that.
    var asStored: AuditEntry {
        var entry = self
        func whole(_ text: String?) -> String? { text.map(TextRules.whole) }
        entry.principal = TextRules.whole(principal)
        entry.operation = TextRules.whole(operation)
        entry.owner = owner.map {
            Owner(tenant: TextRules.whole($0.tenant), user: TextRules.whole($0.user))
        }
        (entry.reason, entry.request, entry.detail) = (whole(reason), whole(request), whole(detail))
        let seconds = time.timeIntervalSince1970
        let times = StoreCoding.times
        entry.time = Date(
            timeIntervalSince1970: seconds.isNaN
                ? 0 : min(max(seconds, times.lowerBound), times.upperBound))
        return entry
    }
}
