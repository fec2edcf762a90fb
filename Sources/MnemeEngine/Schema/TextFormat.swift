/// Forms of strings that `format` names and that are kept while they are written, each as a
/// pattern.
///
/// Strings that fit a pattern are valid by the standard that it follows; the patterns may leave
/// rare valid forms out (a time's leap second, a literal address inside of a URI).
enum TextFormat: String, CaseIterable, Sendable {
    /// RFC 3339, `full-date`.
    case date
    /// RFC 3339, `full-time`.
    case time
    /// RFC 3339, `date-time`.
    case dateTime = "date-time"
    /// ISO 8601, as RFC 3339's appendix A has it.
    case duration
    /// RFC 5321: a dotted atom at a host's name.
    case email
    /// RFC 1123.
    case hostname
    /// RFC 2673, section 3.2.
    case ipv4
    /// RFC 4291.
    case ipv6
    /// RFC 9562.
    case uuid
    /// RFC 3986, absolute.
    case uri

    /// The texts of this form.
    var automaton: ByteAutomaton? { Self.automata[self] }

    /// The most scalars that a text of this form may have.
    var most: Int? { self == .hostname ? 253 : nil }

    /// Automata of all formats, made once in a process: they depend on no schema, and a schema's
    /// own budget does not pay for them.
    private static let automata: [TextFormat: ByteAutomaton] = {
        var budget = AutomatonBudget(20_000_000)
        var automata: [TextFormat: ByteAutomaton] = [:]
        for format in allCases {
            automata[format] = try? ByteAutomaton(pattern: format.pattern, budget: &budget)
        }
        return automata
    }()

    /// The format as an anchored regular expression.
    var pattern: String {
        switch self {
        case .date: "^\(Self.fullDate)$"
        case .time: "^\(Self.fullTime)$"
        case .dateTime: "^\(Self.fullDate)T\(Self.fullTime)$"
        case .duration: "^P(\(Self.days)|\(Self.clock)|\\d+W)$"
        case .email: "^\(Self.atom)(\\.\(Self.atom))*@\(Self.label)(\\.\(Self.label))+$"
        case .hostname: "^\(Self.label)(\\.\(Self.label))*$"
        case .ipv4: "^\(Self.address)$"
        case .ipv6: "^(\(Self.longAddress))$"
        case .uuid: "^[\\da-fA-F]{8}(-[\\da-fA-F]{4}){3}-[\\da-fA-F]{12}$"
        case .uri: "^[A-Za-z][A-Za-z\\d+.-]*:(\(Self.hierarchy))(\\?\(Self.query))?(#\(Self.query))?$"
        }
    }

    // Years begin with 1, as Python and JavaScript count them, and February knows leap years.
    private static let year = "(\\d{3}[1-9]|\\d{2}[1-9]\\d|\\d[1-9]\\d{2}|[1-9]\\d{3})"
    /// Years divisible by 4 and not by 100, or by 400.
    private static let leapYear =
        "(\\d{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
    /// Days of each month, February with 28.
    private static let monthDay =
        "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)"
        + "|02-(0[1-9]|1\\d|2[0-8]))"
    /// RFC 3339 `full-date`, in the Gregorian calendar.
    private static let fullDate = "(\(year)-\(monthDay)|\(leapYear)-02-29)"
    /// Hours and minutes, of a time and of its offset from UTC.
    private static let minutes = "([01]\\d|2[0-3]):[0-5]\\d"
    /// RFC 3339 `full-time`: up to nine digits of a second, and an offset.
    private static let fullTime = "\(minutes):[0-5]\\d(\\.\\d{1,9})?(Z|[+-]\(minutes))"

    /// RFC 3339, appendix A, `dur-time`: units are left out at the ends only.
    private static let clock = "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)"
    /// RFC 3339, appendix A, `dur-date`.
    private static let days =
        "(\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)(\(clock))?"

    /// RFC 5322 `atom`, each of 64 characters at most; RFC 5321 has that limit for the local part.
    private static let atom = "[A-Za-z\\d!#$%&'*+/=?^_`{|}~-]{1,64}"
    /// RFC 1123 label: 63 characters at most, no hyphen at either end.
    private static let label = "[A-Za-z\\d]([A-Za-z\\d-]{0,61}[A-Za-z\\d])?"

    /// A decimal byte without leading zeros.
    private static let byte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
    /// An IPv4 address in dotted decimal notation.
    private static let address = "\(byte)(\\.\(byte)){3}"
    /// RFC 3986 `IPv6address`, whose last 32 bits may be written as an IPv4 address.
    private static let longAddress: String = {
        let group = "[\\da-fA-F]{1,4}"
        let last = "(\(group):\(group)|\(address))"
        // As RFC 3986 spells IPv6address out: the more stands before `::`, the less behind it.
        var forms = ["(\(group):){6}\(last)"]
        for behind in (0...5).reversed() {
            let before = behind == 5 ? "" : "((\(group):){0,\(4 - behind)}\(group))?"
            forms.append("\(before)::(\(group):){\(behind)}\(last)")
        }
        forms.append("((\(group):){0,5}\(group))?::\(group)")
        forms.append("((\(group):){0,6}\(group))?::")
        return forms.joined(separator: "|")
    }()

    /// RFC 3986 `unreserved`, `sub-delims` and `pct-encoded`.
    private static let plain = "[A-Za-z\\d._~!$&'()*+,;=-]|%[\\da-fA-F]{2}"
    /// RFC 3986 `pchar`.
    private static let segment = "(\(plain)|[:@])"
    /// RFC 3986 `query`, and `fragment`, which is spelled the same.
    private static let query = "(\(plain)|[:@/?])*"
    /// RFC 3986 `hier-part`, without address literals in brackets.
    private static let hierarchy =
        "//((\(plain)|:)*@)?(\(plain))+(:\\d*)?(/\(segment)*)*|/(\(segment)+(/\(segment)*)*)?"
        + "|\(segment)+(/\(segment)*)*"
}
