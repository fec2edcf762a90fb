package import Foundation
package import MnemeBase

/// A part of a bucket of S3, or of a service that speaks like it, as a place of objects.
///
/// Who writes the same object at once is told by its version (`If-Match`), which S3, MinIO, Ceph and
/// R2 know. Nobody else is kept out.
package struct S3Place: ObjectPlace {
    /// `s3://BUCKET/PREFIX`.
    package let name: String
    /// Each write is a call over the network.
    package var isNear: Bool { false }
    private let bucket: String, prefix: String
    /// Where it is asked: scheme and host, and the path before that of an object.
    private let endpoint: URL, base: String
    private let signature: S3Signature
    private let sessionToken: String?

    /// Seconds that a call may take, and how often one is made that was not answered.
    private static let seconds: Int64 = 300, attempts = 4

    /// A place by its address.
    ///
    /// - Parameters:
    ///   - address: `s3://BUCKET/PREFIX`.
    ///   - environment: has `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and where needed
    ///     `AWS_SESSION_TOKEN`, `AWS_REGION` and `AWS_ENDPOINT_URL` (of another service than Amazon's).
    /// - Throws: `InputError` for an address that is none, or a variable that is missing.
    package init(
        _ address: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        let parts = address.dropFirst("s3://".count).split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard address.hasPrefix("s3://"), let bucket = parts.first, !bucket.isEmpty,
            bucket.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0)) })
        else { throw InputError("A bucket is named as s3://BUCKET or s3://BUCKET/PREFIX.") }
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        guard let accessKey = value("AWS_ACCESS_KEY_ID"), let secretKey = value("AWS_SECRET_ACCESS_KEY") else {
            throw InputError(
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for a service that is not Amazon's."
            )
        }
        let region = value("AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1"
        let folder = parts.count > 1 ? parts[1].trimming("/") : ""
        (self.bucket, prefix) = (String(bucket), folder.isEmpty ? "" : folder + "/")
        name = "s3://\(bucket)/\(prefix.dropLast())".trimming("/")
        signature = S3Signature(accessKey: accessKey, secretKey: secretKey, region: region)
        sessionToken = value("AWS_SESSION_TOKEN")
        // Services of one's own have one name; Amazon's have one a bucket.
        let own = value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        guard let url = URL(string: own ?? "https://\(bucket).s3.\(region).amazonaws.com"), url.host != nil,
            ["http", "https"].contains(url.scheme)
        else { throw InputError("AWS_ENDPOINT_URL is no address: https://HOST, or http://HOST:PORT.") }
        endpoint = url
        base = own == nil ? "" : "/" + url.path.trimming("/") + (url.path.trimming("/").isEmpty ? "" : "/") + bucket
    }

    /// Asks for a thousand names at a time.
    package func names() throws -> [String] {
        var names: [String] = []
        var token: String?
        repeat {
            // In the order in which they are signed.
            let query =
                (token.map { ["continuation-token=" + S3Signature.encode($0)] } ?? [])
                + ["list-type=2", "prefix=" + S3Signature.encode(prefix)]
            let answer = try ask("GET", (base.isEmpty ? "/" : base) + "?" + query.joined(separator: "&"))
            guard answer.status == 200 else { throw refused(answer, "be listed") }
            let text = String(decoding: answer.body, as: UTF8.self)
            names += Self.values("Key", in: text).filter { $0.hasPrefix(prefix) }.map {
                String($0.dropFirst(prefix.count))
            }
            token = Self.values("NextContinuationToken", in: text).first
        } while token != nil
        return names
    }

    package func read(_ name: String) throws -> StoredObject? {
        let answer = try ask("GET", path(name))
        if answer.status == 404,
            !Self.values("Code", in: String(decoding: answer.body, as: UTF8.self)).contains("NoSuchBucket")
        {
            return nil
        }
        guard answer.status == 200 else { throw refused(answer, "be read") }
        return StoredObject(answer.body, version: answer.version ?? "")
    }

    package func write(_ data: Data, as name: String) throws {
        let answer = try ask("PUT", path(name), body: data)
        guard answer.status == 200 else { throw refused(answer, "be written") }
    }

    package func replace(_ name: String, with data: Data, former: StoredObject?) throws -> StoredObject? {
        let condition = former.map { ("If-Match", $0.version) } ?? ("If-None-Match", "*")
        let answer = try ask("PUT", path(name), body: data, condition: condition)
        if answer.status == 200, let version = answer.version { return StoredObject(data, version: version) }
        guard answer.status != 200 else {
            throw S3Error(
                .unsupported, "\(self.name) does not say which version was written (ETag). It cannot keep a backup.")
        }
        guard [404, 409, 412].contains(answer.status) else { throw refused(answer, "be written") }
        // An answer that was lost: it was written by the call before.
        let found = try read(name)
        return found?.data == data ? found : nil
    }

    package func remove(_ name: String) throws {
        let answer = try ask("DELETE", path(name))
        guard [200, 204, 404].contains(answer.status) else { throw refused(answer, "be removed") }
    }

    /// There are no locks: ``replace(_:with:former:)`` tells who was first.
    package func alone<T>(_ body: () throws -> T) throws -> T { try body() }

    // MARK: Calls

    private func path(_ name: String) -> String { base + "/" + S3Signature.encode(prefix + name, keepsSlash: true) }

    /// Makes a signed call, again where the service is not to be reached or has too much to do.
    ///
    /// - Parameters:
    ///   - target: path and query, encoded.
    ///   - condition: a header that says when a write is to be done.
    private func ask(
        _ method: String, _ target: String, body: Data? = nil, condition: (String, String)? = nil
    ) throws -> OutgoingHTTP.Answer {
        let port = endpoint.port.map { ":\($0)" } ?? ""
        guard let url = URL(string: "\(endpoint.scheme!)://\(endpoint.host!)\(port)\(target)") else {
            throw InputError("\(name) is no address.")
        }
        var attempt = 1
        while true {
            var headers = [
                "host": endpoint.host! + port, "x-amz-date": S3Signature.stamp(Date()),
                "x-amz-content-sha256": S3Signature.digest(body ?? Data()),
            ]
            headers["x-amz-security-token"] = sessionToken
            if let condition { headers[condition.0.lowercased()] = condition.1 }
            headers["authorization"] = signature.authorization(method, target, headers: headers)
            let isLast = attempt == Self.attempts
            do {
                let answer = try OutgoingHTTP.sendAndWait(
                    .init(method, url, headers: headers.map { (name: $0.key, value: $0.value) }, body: body),
                    seconds: Self.seconds)
                if isLast || !(answer.status == 429 || answer.status >= 500) { return answer }
            } catch let failure as OutgoingHTTP.Failure where isLast {
                throw S3Error(
                    .unavailable, "\(name) is not reached: \(failure.reason). Check the network and AWS_ENDPOINT_URL.")
            } catch is OutgoingHTTP.Failure {}
            Thread.sleep(forTimeInterval: 0.25 * Double(1 << attempt))
            attempt += 1
        }
    }

    private func refused(_ answer: OutgoingHTTP.Answer, _ action: String) -> S3Error {
        let text = String(decoding: answer.body.prefix(64 << 10), as: UTF8.self)
        let code = Self.values("Code", in: text).first.map { " (\(TerminalText.shown($0, onOneLine: true)))" } ?? ""
        switch answer.status {
        case 401, 403:
            return S3Error(
                .forbidden,
                "\(name) may not \(action)\(code). Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and what they may."
            )
        case 404: return S3Error(.notFound, "\(name) cannot \(action)\(code). Make the bucket first.")
        default: return S3Error(.unavailable, "\(name) cannot \(action): status \(answer.status)\(code).")
        }
    }

    /// The texts of an element of XML, wherever it stands: enough for what S3 answers.
    private static func values(_ element: String, in text: String) -> [String] {
        text.components(separatedBy: "<\(element)>").dropFirst().compactMap {
            $0.components(separatedBy: "</\(element)>").first?
                .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
                .replacing("&amp;", with: "&")
        }
    }
}

/// A failure of a service that keeps objects. The message says what to do.
package struct S3Error: MnemeError {
    /// The class that status and exit code follow from.
    package let errorClass: ErrorClass
    /// The failure in a sentence.
    package let message: String

    init(_ errorClass: ErrorClass, _ message: String) { (self.errorClass, self.message) = (errorClass, message) }
}

extension StringProtocol {
    /// Without some character at both ends.
    fileprivate func trimming(_ character: Character) -> String {
        String(drop { $0 == character }.reversed().drop { $0 == character }.reversed())
    }
}
