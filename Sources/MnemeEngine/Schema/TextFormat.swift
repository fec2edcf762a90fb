/// Forms of strings that `format` names and that are kept while they are written, each as a
/// pattern.
///
/// What fits a pattern is valid by the standard that it follows; of what is valid the patterns may
/// leave rare forms out (a time's leap second, a literal address inside of a URI).
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

    private static let automata: [TextFormat: ByteAutomaton] = {
        var budget = AutomatonBudget(20_000_000), automata: [TextFormat: ByteAutomaton] = [:]
        for format in allCases {
            automata[format] = try? ByteAutomaton(pattern: format.pattern, budget: &budget)
        }
        return automata
    }()

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
    private static let leapYear =
        "(\\d{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
    private static let monthDay =
        "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)"
        + "|02-(0[1-9]|1\\d|2[0-8]))"
    private static let fullDate = "(\(year)-\(monthDay)|\(leapYear)-02-29)"
    private static let minutes = "([01]\\d|2[0-3]):[0-5]\\d"
    private static let fullTime = "\(minutes):[0-5]\\d(\\.\\d{1,9})?(Z|[+-]\(minutes))"

    private static let clock = "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)"
    private static let days =
        "(\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)(\(clock))?"

    private static let atom = "[A-Za-z\\d!#$%&'*+/=?^_`{|}~-]{1,64}"
    private static let label = "[A-Za-z\\d]([A-Za-z\\d-]{0,61}[A-Za-z\\d])?"

    private static let byte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
    private static let address = "\(byte)(\\.\(byte)){3}"
    private static let longAddress: String = {
        let group = "[\\da-fA-F]{1,4}", last = "(\(group):\(group)|\(address))"
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

    private static let plain = "[A-Za-z\\d._~!$&'()*+,;=-]|%[\\da-fA-F]{2}"
    private static let segment = "(\(plain)|[:@])"
    private static let query = "(\(plain)|[:@/?])*"
    private static let hierarchy =
        "//((\(plain)|:)*@)?(\(plain))+(:\\d*)?(/\(segment)*)*|/(\(segment)+(/\(segment)*)*)?"
        + "|\(segment)+(/\(segment)*)*"
}
