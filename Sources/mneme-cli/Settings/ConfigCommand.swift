import ArgumentParser
import Mneme

/// `mneme config`: each setting's value and where it comes from. A command's own options come
/// before all of them.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show the settings: each value, and where it comes from.",
        discussion: """
            A command's option counts first, then the environment (MNEME_PORT=8421), then the file ({"port": 8421}), then what is built in. \
            The file is $MNEME_HOME/settings.json; --config FILE, which every command takes, or MNEME_CONFIG names another.
            """)

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let settings = Settings.current
        if json {
            let all = Setting.all.map { setting -> (String, JSONValue) in
                let value = settings.value(setting)
                return (
                    setting.name,
                    [
                        "value": value.map { .string(Setting.shown($0.text)) } ?? .null,
                        "source": value.map { .string($0.source.text) } ?? .null,
                        "help": .string(setting.help),
                    ]
                )
            }
            print(
                try OperationTable.encode(
                    JSONValue.object(Dictionary(uniqueKeysWithValues: all)), pretty: true))
            return
        }
        for setting in Setting.all {
            let value = settings.value(setting)
            print(
                setting.name.padded(to: 14)
                    + (value.map { Setting.shown($0.text) } ?? "-").padded(to: 24)
                    + Terminal.styled((value?.source.text ?? "not set").padded(to: 22), .dim)
                    + setting.help)
        }
    }
}
