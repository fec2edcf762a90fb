import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

/// The command of an operation, made from its declaration.
///
/// ArgumentParser finds a command's arguments by reflection and then decodes them; here both are
/// answered from the operation's parameter list instead of stored properties.
///
/// One type serves all operations, so that the command line offers the same parameters, with the
/// same bounds and help, as HTTP and MCP. Exit code 2 for arguments that the operation does not
/// take, 1 if it failed or its answer reports a fault.
struct OperationCommand<Declared: Mneme.Operation>: AsyncParsableCommand, CustomReflectable {
    /// Name and help, as the operation declares them.
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Declared.name, abstract: Declared.summary, discussion: Declared.discussion)
    }

    /// Values by the parameters' names, as text: the operation reads them.
    private var arguments: [String: JSONValue] = [:]
    /// Options that every operation has here.
    private var options = StoreOptions()
    /// True with `--json`: the answer as programs get it.
    private var json = false
    /// The file of `export -o`; no other operation has it.
    private var output: String?
    /// The server of `--server`.
    private var server: String?

    init() {}

    /// The parameters that the command line offers; some are for HTTP or MCP only.
    private static var parameters: [any AnyParameter] {
        Declared.parameters.filter { $0.surfaces.contains(.commandLine) }
    }

    /// `token_budget` is `--token-budget` here.
    private static func optionName(_ parameter: any AnyParameter) -> String {
        parameter.name.replacingOccurrences(of: "_", with: "-")
    }

    /// The arguments that ArgumentParser finds by reflection: an argument, flag or option for each
    /// parameter, then `--store`, `--no-embedder`, `--json` and `--server`, which all operations
    /// have here.
    var customMirror: Mirror {
        var children: [(label: String?, value: Any)] = Self.parameters.map { parameter in
            let value: Any
            if parameter.isPositional {
                value = Argument<String?>(help: ArgumentHelp(parameter.help))
            } else if parameter.isFlag {
                value = Flag<Bool>(
                    wrappedValue: false, name: .customLong(Self.optionName(parameter)),
                    help: ArgumentHelp(parameter.help))
            } else if parameter.isList {
                value = Option<[String]>(
                    wrappedValue: [], name: .customLong(Self.optionName(parameter)),
                    help: ArgumentHelp(parameter.help + " May be given several times."))
            } else {
                let choices = parameter.schema["enum"]?.array?.compactMap(\.string)
                value = Option<String?>(
                    name: .customLong(Self.optionName(parameter)),
                    help: ArgumentHelp(parameter.help, valueName: choices?.joined(separator: "|")),
                    completion: choices.map { .list($0) })
            }
            return (parameter.name, value)
        }
        children.append(("mneme_options", OptionGroup<StoreOptions>()))
        children.append(
            (
                "mneme_json",
                Flag<Bool>(wrappedValue: false, name: .customLong("json"), help: "Print JSON.")
            ))
        if Declared.route != nil {
            children.append(
                (
                    "mneme_server",
                    Option<String?>(
                        name: .customLong("server"),
                        help: ArgumentHelp(
                            "Ask a running server instead of a store here; MNEME_SERVER names one, too, and MNEME_API_KEY its key.",
                            valueName: "url"))
                ))
        }
        if Declared.self == ExportOperation.self {
            children.append(
                (
                    "mneme_output",
                    Option<String?>(
                        name: [.customShort("o"), .customLong("output")],
                        help: "Write to this file; to the terminal if left out.")
                ))
        }
        return Mirror(self, children: children, displayStyle: .struct)
    }

    /// A parameter's name, under which ArgumentParser hands its value over.
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Takes the parsed values over, as text. What was not given is left out, so that the
    /// operation's own defaults apply.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for parameter in Self.parameters {
            let key = Key(parameter.name)
            if parameter.isPositional {
                if let text = try container.decode(Argument<String?>.self, forKey: key).wrappedValue {
                    arguments[parameter.name] = .string(text)
                }
            } else if parameter.isFlag {
                if try container.decode(Flag<Bool>.self, forKey: key).wrappedValue {
                    arguments[parameter.name] = true
                }
            } else if parameter.isList {
                let list = try container.decode(Option<[String]>.self, forKey: key).wrappedValue
                if !list.isEmpty { arguments[parameter.name] = .array(list.map { .string($0) }) }
            } else if let text = try container.decode(Option<String?>.self, forKey: key)
                .wrappedValue
            {
                arguments[parameter.name] = .string(text)
            }
        }
        options = try container.decode(OptionGroup<StoreOptions>.self, forKey: Key("mneme_options"))
            .wrappedValue
        json = try container.decode(Flag<Bool>.self, forKey: Key("mneme_json")).wrappedValue
        if Declared.route != nil {
            server = try container.decode(Option<String?>.self, forKey: Key("mneme_server"))
                .wrappedValue
        }
        if Declared.self == ExportOperation.self {
            output = try container.decode(Option<String?>.self, forKey: Key("mneme_output"))
                .wrappedValue
        }
    }

    /// Reads all arguments once, for their errors only.
    func validate() throws {
        // An argument that is missing or wrong is told before anything is opened.
        do {
            _ = try OperationInput(
                arguments, parameters: Declared.parameters, surface: .commandLine)
        } catch let error
            as InputError
        {
            throw ValidationError(error.description)
        }
    }

    /// Carries the operation out as the owner of this machine, and prints the answer: JSON with
    /// `--json`, otherwise its rendering. The store is closed behind it, so that what was written
    /// has its vectors.
    func run() async throws {
        var arguments = arguments
        // A text can be piped in; without a pipe nobody waits for one.
        if Declared.self == RememberOperation.self,
            arguments["text"] == nil || arguments["text"] == "-"
        {
            guard arguments["text"] == "-" || !Terminal.isInteractive(STDIN_FILENO) else {
                throw InputError("'text' is missing: say what to remember, or pipe it in.")
            }
            arguments["text"] = .string(
                String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
        }
        guard server == nil || options.recipe == nil else {
            throw InputError("--recipe is the server's to choose: `mneme serve --recipe NAME`.")
        }
        // A store that is named on the command line is meant, whatever server the settings name.
        guard server == nil || options.file.store == nil else {
            throw InputError("--server and --store name two places. Leave out one of them.")
        }
        let isLocal = options.file.store != nil || Declared.route == nil
        if let server = server ?? (isLocal ? nil : Settings.current.text(.server)) {
            try await ask(RemoteServer(server), arguments)
            return
        }
        // Operations that go by ids work without the model; what they write is embedded later.
        let memory = try options.open(requiresModel: Declared.readsMeaning)
        let progress = ProgressLine()
        let context = OperationContext(memory: memory, principal: .local) { done, total, what in
            progress.show(done, total, what)
        }
        let result: OperationOutput
        do { result = try await Declared.call(arguments, context, surface: .commandLine) } catch {
            progress.end()
            await memory.close(deadline: .zero)
            throw error
        }
        progress.end()
        var answer: JSONValue?
        switch result {
        case .value(let value):
            let text = try OperationTable.encode(value)
            let value = try JSONValue(parsing: Array(text.utf8))
            answer = value
            try show(value)
        case .lines(let lines): try await write(lines, memory)
        }
        fflush(nil)
        // Closing embeds what was written; what was only read has its audit entries flushed and its
        // uses counted, and leaves the tables that it made to the next.
        if Declared.permission == .write {
            await memory.close()
        } else {
            memory.flushUses()
            try memory.store.flush()
            await memory.keepTables()
        }
        if let answer { try fail(on: answer) }
    }

    /// Prints an answer: as JSON, or as its rendering.
    private func show(_ answer: JSONValue) throws {
        print(try json ? OperationTable.encode(answer, pretty: true) : Declared.shown(answer))
        // On standard error, so that a pipe gets the answer alone.
        if let warning = answer["warning"]?.string { Terminal.note(Terminal.styled(warning, .yellow)) }
    }

    /// - Throws: exit code 1 if the answer reports a fault.
    private func fail(on answer: JSONValue) throws {
        if (Declared.self as? any TextRendering.Type)?.hasFault(answer) ?? false {
            throw ExitCode(1)
        }
    }

    /// Sends the operation to a server, and prints its answer as one of this machine's. Files of
    /// `export -o` are not listed as copies there.
    private func ask(_ server: RemoteServer, _ arguments: [String: JSONValue]) async throws {
        let data = try await server.call(Declared.self, arguments)
        guard Declared.self != ExportOperation.self else {
            guard let output else {
                print(String(decoding: data, as: UTF8.self), terminator: "")
                return
            }
            try AtomicFile.write(data, to: output)
            Terminal.report("Exported to \(output).")
            return
        }
        let answer = try JSONValue(parsing: Array(data))
        try show(answer)
        fflush(nil)
        try fail(on: answer)
    }

    /// JSON lines, to the terminal or into a file. A file is listed as a copy that left the store,
    /// so that erasing reaches it.
    private func write(_ lines: AsyncThrowingStream<String, any Error>, _ memory: MemoryOS)
        async throws
    {
        guard let output else {
            for try await line in lines { print(line) }
            return
        }
        let count = try await memory.write(
            lines,
            of: Principal.local.owner(
                tenant: arguments["tenant"]?.string, user: arguments["user"]?.string),
            to: output,
            by: Caller(.local, operation: Declared.name))
        Terminal.report("Exported \(count) memories to \(output).")
    }
}
