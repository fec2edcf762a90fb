import Foundation
import MnemeBase
import MnemeHub
import Testing

/// Against the examples of Amazon's documentation of Signature Version 4 for S3.
@Suite struct S3Tests {
    private static let host = "examplebucket.s3.amazonaws.com", time = "20130524T000000Z"
    private static let empty = S3Signature.digest(Data())

    @Test(
        arguments: [
            (
                "GET", "/test.txt", ["range": "bytes=0-9"], "",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            (
                "GET", "/?max-keys=2&prefix=J", [:], "",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ),
            (
                "PUT", "/" + S3Signature.encode("test$file.text"),
                ["Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"],
                "Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            ),
        ] as [(String, String, [String: String], String, String)])
    func `a signature is that of Amazon's examples`(
        method: String, target: String, more: [String: String], body: String, expected: String
    ) {
        let signature = S3Signature(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1")
        var headers = [
            "host": Self.host, "x-amz-date": Self.time,
            "x-amz-content-sha256": S3Signature.digest(Data(body.utf8)),
        ]
        headers.merge(more) { $1 }
        let value = signature.authorization(method, target, headers: headers)
        #expect(value.hasSuffix("Signature=" + expected))
        #expect(value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"))
    }

    @Test func `times and names are written as signatures have them`() {
        #expect(S3Signature.stamp(Date(timeIntervalSince1970: 1_369_353_600)) == Self.time)
        #expect(S3Signature.encode("a b/ü+~") == "a%20b%2F%C3%BC%2B~")
        #expect(S3Signature.encode("a b/ü", keepsSlash: true) == "a%20b/%C3%BC")
    }

    @Test func `what is missing or no address is said`() throws {
        let keys = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"]
        for address in ["s3://", "s3:///x", "http://x", "s3://a b/c"] {
            #expect(throws: InputError.self) { try S3Place(address, environment: keys) }
        }
        let error = #expect(throws: InputError.self) { try S3Place("s3://bucket/x", environment: [:]) }
        #expect(error?.message.contains("AWS_ACCESS_KEY_ID") == true)
        #expect(throws: InputError.self) {
            try S3Place("s3://bucket", environment: keys.merging(["AWS_ENDPOINT_URL": "127.0.0.1"]) { $1 })
        }
        #expect(try S3Place("s3://bucket/a/b/", environment: keys).name == "s3://bucket/a/b")
        #expect(try S3Place("s3://bucket", environment: keys).name == "s3://bucket")
    }
}
