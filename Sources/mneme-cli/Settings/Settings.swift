import Configuration
import Foundation
import Mneme
import MnemeBase
import NIOConcurrencyHelpers

/// The settings of this process: an option of the command line comes before the environment
/// (`MNEME_*`), that before the file, and that before what is built in.
///
/// The file is `settings.json` in ``Home/folder``, or the one that `--config` or `MNEME_CONFIG`
/// names: a JSON object of ``Setting/all``. An unknown key or a wrong value in it is an error, so
/// that a misspelt setting does not go by unseen.
struct Settings: Sendable {
    /// Where a value comes from.
    enum Source: Sendable, Equatable {
        case variable(String)
        case file(String)
        case builtIn
        var text: String {
            switch self {
            case .variable(let name): name
            case .file(let path): path
            case .builtIn: "built in"
            }
        }
    }
    /// By the settings' names; those without any value are absent.
    private let values: [String: (text: String, source: Source)]
    /// The file's path, whether it is there or not.
    let file: String

    /// Reads the settings.
    ///
    /// - Parameters:
    ///   - environment: variables by name; empty ones count as not set.
    ///   - file: the path of a file that has to be there; nil takes `standardFile` if it is there.
    /// - Throws: `InputError` that names the file or variable, the key, and what would be right.
    init(environment: [String: String], file: String?, standardFile: String) throws {
        // Sources in the order in which they count, each with how it calls a setting.
        var sources: [(reader: ConfigReader, source: (Setting) -> Source)] = [
            (
                ConfigReader(
                    provider: EnvironmentVariablesProvider(
                        environmentVariables: environment.filter { !$0.value.isEmpty })),
                { .variable($0.variable) }
            )
        ]
        let path = file ?? standardFile
        if file != nil || FileManager.default.fileExists(atPath: path) {
            let values = try Self.values(of: path)
            sources.append(
                (
                    ConfigReader(provider: InMemoryProvider(name: path, values: values)),
                    { _ in .file(path) }
                ))
        }
        var found: [String: (text: String, source: Source)] = [:]
        for setting in Setting.all {
            let key = ConfigKey(["mneme", setting.name])
            for (reader, source) in sources {
                guard let text = reader.string(forKey: key) else { continue }
                if let wanted = setting.complaint(text) {
                    throw InputError(
                        "\(Self.place(of: source(setting), setting)) is '\(Setting.shown(String(text.prefix(100))))'. It must be \(wanted)."
                    )
                }
                found[setting.name] = (text, source(setting))
                break
            }
            if found[setting.name] == nil, let fallback = setting.fallback {
                found[setting.name] = (fallback, .builtIn)
            }
        }
        values = found
        self.file = path
    }

    /// How a message names a setting of a source.
    private static func place(of source: Source, _ setting: Setting) -> String {
        if case .file(let path) = source { return "'\(setting.name)' in \(path)" }
        return source.text
    }

    /// The values of a file, as texts.
    ///
    /// - Throws: `InputError` for a file that cannot be read, unknown keys, and values of another
    ///   JSON type.
    private static func values(of path: String) throws -> [AbsoluteConfigKey: ConfigValue] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InputError("The settings' file \(path) cannot be read.")
        }
        let members = try members(of: path, data)
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for member in members {
            guard let setting = Setting.all.first(where: { $0.name == member.key }) else {
                throw InputError(
                    "\(path): there is no setting '\(member.key.prefix(60))'. Known: \(Setting.all.map(\.name).joined(separator: ", "))."
                )
            }
            guard let text = setting.text(member.value) else {
                let wanted = setting.complaint("") ?? "a list of texts"
                throw InputError("'\(setting.name)' in \(path) must be \(wanted).")
            }
            values[AbsoluteConfigKey(["mneme", setting.name])] = ConfigValue(
                .string(text), isSecret: false)
        }
        return values
    }

    /// The members of a file.
    ///
    /// - Throws: `InputError` if it holds no JSON object.
    private static func members(of path: String, _ data: Data) throws -> [OrderedJSON.Member] {
        do {
            guard let object = try OrderedJSON(String(decoding: data, as: UTF8.self)).members else {
                throw InputError("\(path) holds no JSON object such as {\"port\": 8420}.")
            }
            return object
        } catch let error as JSONError { throw InputError("\(path): \(error.message)") }
    }

    // MARK: Reading

    /// A setting's value as text, and where it comes from; nil if it has none.
    func value(_ setting: Setting) -> (text: String, source: Source)? { values[setting.name] }
    /// A text; nil if there is none.
    func text(_ setting: Setting) -> String? { values[setting.name]?.text }
    /// A whole number; nil if there is none.
    func whole(_ setting: Setting) -> Int? { text(setting).flatMap { Int($0) } }
    /// A number; nil if there is none.
    func number(_ setting: Setting) -> Double? { text(setting).flatMap { Double($0) } }
    /// The texts of a list; empty if there are none.
    func list(_ setting: Setting) -> [String] {
        (text(setting) ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    // MARK: This process's

    private static let loaded = NIOLockedValueBox<Settings?>(nil)

    /// The settings that ``load(_:)`` read; built-in ones before.
    static var current: Settings {
        if let settings = loaded.withLockedValue({ $0 }) { return settings }
        return Settings(values: [:])
    }

    private init(values: [String: (text: String, source: Source)]) {
        self.values = values
        file = Home.folder + "/settings.json"
    }

    /// Writes a setting into the file; the other keys stay as they are.
    ///
    /// - Throws: `InputError` if the file is no JSON object, `FileError` if it cannot be written.
    func write(_ setting: Setting, _ text: String) throws {
        var members: [OrderedJSON.Member] = []
        if let data = FileManager.default.contents(atPath: file) {
            members = try Self.members(of: file, data)
        }
        let member = OrderedJSON.Member(key: setting.name, value: .string(text))
        if let place = members.firstIndex(where: { $0.key == setting.name }) {
            members[place] = member
        } else {
            members.append(member)
        }
        let lines = members.map { OrderedJSON.object([$0]).text.dropFirst().dropLast() }
        try Privacy.makeFolder(parent(of: file))
        try AtomicFile.write(Data("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8), to: file)
    }

    /// Reads this process's settings, and takes `--config FILE` out of its arguments: options have
    /// their defaults from the settings, which are therefore read before them.
    ///
    /// - Returns: the other arguments.
    /// - Throws: `InputError` for settings that are wrong.
    static func load(_ arguments: [String]) throws -> [String] {
        var rest: [String] = []
        var file: String?
        var all = arguments[...]
        while let argument = all.popFirst() {
            // What follows is no option.
            if argument == "--" {
                rest += [argument] + all
                break
            }
            if argument == "--config" {
                guard let path = all.popFirst() else {
                    throw InputError("--config needs the path of a file.")
                }
                file = path
            } else if argument.hasPrefix("--config=") {
                file = String(argument.dropFirst("--config=".count))
            } else {
                rest.append(argument)
            }
        }
        let environment = ProcessInfo.processInfo.environment
        let named = environment["MNEME_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let settings = try Settings(
            environment: environment, file: file ?? named,
            standardFile: Home.folder + "/settings.json")
        loaded.withLockedValue { $0 = settings }
        return rest
    }
}

extension Setting {
    /// A value of the file as text; nil if it is of another type.
    fileprivate func text(_ value: OrderedJSON) -> String? {
        switch kind {
        case .text, .choice: value.string
        case .whole: value.integer.map { String($0) }
        case .number:
            value.integer.map { String($0) } ?? value.double.map { String($0) }
        case .list:
            value.elements.flatMap { elements in
                let texts = elements.compactMap(\.string)
                return texts.count == elements.count ? texts.joined(separator: ",") : nil
            }
        }
    }
}
