import Logging
import MnemeBase

/// Writes log lines to standard error: what they quote from outside can neither act on a terminal
/// nor begin a line of its own.
struct TerminalLog: LogHandler {
    /// Writes the lines; this type only makes their texts safe.
    private var lines: StreamLogHandler

    /// A log that names its part of the program by a label.
    init(label: String) { lines = StreamLogHandler.standardError(label: label) }

    /// The lowest level that is written.
    var logLevel: Logger.Level {
        get { lines.logLevel }
        set { lines.logLevel = newValue }
    }
    /// Values that stand on each line, safe from the moment that they are set.
    var metadata: Logger.Metadata {
        get { lines.metadata }
        set { lines.metadata = newValue.mapValues(Self.shown) }
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { lines[metadataKey: key] }
        set { lines[metadataKey: key] = newValue.map(Self.shown) }
    }

    /// Writes one entry; message, metadata and error on one line.
    func log(event: LogEvent) {
        var event = event
        event.message = "\(TerminalText.shown(event.message.description, onOneLine: true))"
        event.metadata = event.metadata?.mapValues(Self.shown)
        if let error = event.error {
            event.error = nil
            event.metadata = (event.metadata ?? [:]).merging(["error": Self.shown("\(error)")]) {
                $1
            }
        }
        lines.log(event: event)
    }

    /// A value as a terminal may see it, on one line.
    private static func shown(_ value: Logger.Metadata.Value) -> Logger.Metadata.Value {
        .string(TerminalText.shown(value.description, onOneLine: true))
    }
}
