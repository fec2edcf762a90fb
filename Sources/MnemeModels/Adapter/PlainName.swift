/// Names of adapters and of modules, which stand in paths and patterns.
extension StringProtocol {
    /// True for one or more ASCII letters, digits, `.`, `_` and `-`, and nothing else.
    var isPlainName: Bool {
        !isEmpty
            && utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._-".utf8.contains(byte)
                }
            }
    }
}
