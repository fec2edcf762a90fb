import Dispatch
import Foundation
import Mneme
import MnemeBase
import MnemeHub
import NIOConcurrencyHelpers
import Tracing

/// Sends spans in OpenTelemetry's JSON (OTLP 1.x, `ExportTraceServiceRequest`): to a collector over
/// HTTP, or to a file of which each line is one request, as the collector's `otlpjsonfile` receiver
/// reads it.
///
/// Spans are handed over in the background, a second's worth together. If they come faster than
/// they can be handed over, or nobody takes them, they are dropped and counted: answers never wait
/// for them. They carry names, times and numbers, no content.
public final class TraceExporter: Sendable {
    /// Spans that wait, behind one lock.
    private struct State: Sendable {
        /// Spans as JSON, in the order in which they ended.
        var waiting: [String] = []
        /// True from the first span that waits until the next batch is taken.
        var isScheduled = false
        /// Spans that were not handed over since the start.
        var dropped = 0
    }
    /// Where spans go, and which.
    let settings: TraceSettings
    /// The resource that all batches name, as JSON.
    private let resource: String
    private let state = NIOLockedValueBox(State())
    /// Runs the batches one after another, off the threads that answer.
    private let queue = DispatchQueue(label: "mneme.traces")
    /// Spans that may wait; of a file, bytes from which it is put aside as `FILE.1`.
    private static let maximumWaiting = 8_192, maximumFile = 64 << 20

    /// An exporter to a file or collector. A file is created at once, so that a wrong path fails
    /// here.
    ///
    /// - Throws: an error of the file if it cannot be written.
    public init(_ settings: TraceSettings) throws {
        self.settings = settings
        if case .file(let target) = settings.target {
            let file = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw FileError(target) }
            close(file)
        }
        let attributes = settings.resource.sorted { $0.key < $1.key }.map {
            Self.attribute($0.key, .string($0.value))
        }
        resource = "{\"attributes\":[\(attributes.joined(separator: ","))]}"
    }

    /// Spans that were not taken.
    public var dropped: Int { state.withLockedValue { $0.dropped } }

    /// Takes a span that ended. It is sent with others, in the background.
    func add(_ span: RecordedSpan, _ ended: RecordedSpan.State, end: UInt64) {
        let text = Self.json(span, ended, end: end)
        let starts = state.withLockedValue { state -> Bool in
            guard state.waiting.count < Self.maximumWaiting else {
                state.dropped += 1
                return false
            }
            state.waiting.append(text)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if starts { queue.asyncAfter(deadline: .now() + 1) { self.send() } }
    }

    /// Hands over what waits, and returns when that is done or has failed.
    public func flush() { queue.sync { send() } }

    /// Sends all that waits.
    private func send() {
        let spans = state.withLockedValue { state -> [String] in
            defer { (state.waiting, state.isScheduled) = ([], false) }
            return state.waiting
        }
        guard !spans.isEmpty else { return }
        let body =
            "{\"resourceSpans\":[{\"resource\":\(resource),\"scopeSpans\":[{\"scope\":{\"name\":\"mneme\"},\"spans\":[\(spans.joined(separator: ","))]}]}]}"
        let isSent =
            switch settings.target {
            case .file(let path): Self.append(body + "\n", to: path)
            case .collector(let url):
                (try? OutgoingHTTP.postAndWait(
                    body, to: url, headers: settings.headers, seconds: settings.timeout
                )).map { (200..<300).contains($0.status) } ?? false
            }
        if !isSent { state.withLockedValue { $0.dropped += spans.count } }
    }

    /// Appends a line to a file that only its owner reads.
    ///
    /// - Returns: whether all of it was written.
    private static func append(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        guard (try? handle.write(contentsOf: Data(text.utf8))) != nil else { return false }
        if let size = try? handle.offset(), size > UInt64(maximumFile) { rename(path, path + ".1") }
        return true
    }

    // MARK: JSON

    /// A span as OTLP's JSON has it: times in nanoseconds since 1970, as texts.
    private static func json(_ span: RecordedSpan, _ ended: RecordedSpan.State, end: UInt64)
        -> String
    {
        var attributes: [String] = []
        // swift-format-ignore: ReplaceForEachWithForLoop
        ended.attributes.forEach { key, value in attributes.append(attribute(key, value)) }
        let kind =
            switch span.kind {
            case .server: 2
            case .client: 3
            case .producer: 4
            case .consumer: 5
            default: 1
            }
        var fields = [
            "\"traceId\":\"\(span.identity.traceDigits)\"",
            "\"spanId\":\"\(TraceIdentity.digits(span.identity.span))\"",
            "\"name\":\(string(ended.name))",
            "\"kind\":\(kind)", "\"startTimeUnixNano\":\"\(span.start)\"",
            "\"endTimeUnixNano\":\"\(end)\"",
            "\"attributes\":[\(attributes.sorted().joined(separator: ","))]",
        ]
        if let parent = span.parent {
            fields.append("\"parentSpanId\":\"\(TraceIdentity.digits(parent))\"")
        }
        if !ended.events.isEmpty {
            fields.append(
                "\"events\":[\(ended.events.map { "{\"timeUnixNano\":\"\($0.time)\",\"name\":\(string($0.name))}" }.joined(separator: ","))]"
            )
        }
        if let error = ended.error {
            fields.append("\"status\":{\"code\":2,\"message\":\(string(error))}")
        }
        return "{\(fields.joined(separator: ","))}"
    }

    /// An attribute with its type. Types that OTLP has no name for are told as texts.
    private static func attribute(_ key: String, _ value: SpanAttribute) -> String {
        let text =
            switch value {
            case .int32(let number): "{\"intValue\":\"\(number)\"}"
            case .int64(let number): "{\"intValue\":\"\(number)\"}"
            case .double(let number) where number.isFinite: "{\"doubleValue\":\(number)}"
            case .bool(let flag): "{\"boolValue\":\(flag)}"
            case .string(let text): "{\"stringValue\":\(string(text))}"
            default: "{\"stringValue\":\(string("\(value)"))}"
            }
        return "{\"key\":\(string(key)),\"value\":\(text)}"
    }

    /// A text as JSON.
    private static func string(_ text: String) -> String {
        (try? OperationTable.encode(text)) ?? "\"\""
    }
}
