/// What index and duplicates go by, of a memory whose former text comes back.
public struct BackupTextTerms: Sendable {
    /// Index terms, and the version of the analyzer that made them.
    public var analysis: [UInt8], analyzer: String
    /// Names what was said.
    public var contentHash: [UInt8]

    /// Terms and hash of a text.
    public init(analysis: [UInt8], analyzer: String, contentHash: [UInt8]) {
        (self.analysis, self.analyzer, self.contentHash) = (analysis, analyzer, contentHash)
    }
}
