package import Foundation
package import MnemeCube

/// A line of a profile: what is known of somebody, and the memories that say so.
package struct ProfileLine: Sendable, Equatable {
    /// What it is about: `home`, `opinion of coffee`; `core` and `preference` for statements of no known form.
    package var attribute: String
    /// What holds.
    package var value: String
    /// Since when it was first said.
    package var since: Date
    /// Places of the memories that say it, the oldest first.
    package var memories: [Int]

    /// A memory as profiles see it.
    package struct Source: Sendable {
        /// Its text.
        package var text: String
        /// Its type.
        package var type: MemoryType
        /// Who said it.
        package var speaker: String?
        /// What it claims.
        package var claims: [Claim]
        /// When it was said.
        package var time: Date
        /// True if it does not hold any more.
        package var isEnded: Bool

        /// A memory's parts.
        package init(
            text: String, type: MemoryType, speaker: String?, claims: [Claim], time: Date, isEnded: Bool
        ) {
            self.text = text
            self.type = type
            self.speaker = speaker
            self.claims = claims
            self.time = time
            self.isEnded = isEnded
        }
    }

    /// What memories say of somebody and what still holds, by attribute.
    ///
    /// Of each attribute the latest claim counts, with every memory that says the same. Statements of the types core and
    /// preference that hold no claim are lines of their own words if the person said them. What does not hold any more,
    /// and what is denied, is no line.
    ///
    /// - Parameters:
    ///   - person: in lower case; `i` is whoever keeps the memories without naming a speaker.
    ///   - sources: in any order.
    /// - Complexity: O(*n* log *n*) in the claims.
    package static func lines(of person: String, from sources: [Source]) -> [ProfileLine] {
        let ordered = sources.enumerated().filter { !$0.element.isEnded }
            .sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
        var latest: [String: Claim] = [:]
        for (_, source) in ordered {
            for claim in source.claims where isOf(claim.subject, person) { latest[key(claim)] = claim }
        }
        var lines: [String: ProfileLine] = [:]
        for (place, source) in ordered {
            var saysMore = true
            for claim in source.claims where isOf(claim.subject, person) {
                saysMore = false
                guard let held = latest[key(claim)], !held.isDenied, !claim.isDenied, held.value == claim.value
                else { continue }
                lines[
                    key(claim),
                    default: ProfileLine(
                        attribute: attribute(claim, of: person), value: claim.value, since: source.time, memories: [])
                ]
                .memories.append(place)
            }
            let isOwn = (source.speaker?.lowercased() ?? "i") == person
            guard saysMore, source.claims.isEmpty, isOwn, source.type == .core || source.type == .preference else {
                continue
            }
            lines[
                source.text.lowercased(),
                default: ProfileLine(
                    attribute: source.type.rawValue, value: source.text, since: source.time, memories: [])
            ]
            .memories.append(place)
        }
        return lines.values.sorted { ($0.attribute, $0.since, $0.value) < ($1.attribute, $1.since, $1.value) }
    }

    /// True for the person, and for what is the person's: `ana`, `ana's dog`.
    private static func isOf(_ subject: String, _ person: String) -> Bool {
        subject == person || subject.hasPrefix(person + "'s ")
    }

    private static func key(_ claim: Claim) -> String { claim.subject + "\u{1f}" + claim.attribute }

    /// `home`, or `dog: name` of what is the person's.
    private static func attribute(_ claim: Claim, of person: String) -> String {
        guard claim.subject != person else { return claim.attribute }
        return claim.subject.dropFirst(person.count + 3) + ": " + claim.attribute
    }
}
