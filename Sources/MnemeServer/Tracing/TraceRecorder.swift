import Foundation
import NIOConcurrencyHelpers
public import Tracing

/// The ids of a span and of its trace: W3C Trace Context.
struct TraceIdentity: Sendable, Equatable {
    /// 16 and 8 bytes, neither all zero.
    var trace: (UInt64, UInt64), span: UInt64
    /// True if the caller records the trace; a caller's choice is passed on.
    var isSampled = true

    static func == (a: Self, b: Self) -> Bool {
        a.trace == b.trace && a.span == b.span && a.isSampled == b.isSampled
    }

    /// A new span in a trace; nil begins a trace of its own. Ids are random, as the specification
    /// asks.
    init(trace: (UInt64, UInt64)? = nil, isSampled: Bool = true) {
        self.trace = trace ?? (.random(in: .min ... .max), .random(in: 1 ... .max))
        span = .random(in: 1 ... .max)
        self.isSampled = isSampled
    }

    /// Reads a header `traceparent`: `00-<32 digits>-<16 digits>-<2 digits>`, see
    /// w3.org/TR/trace-context.
    init?(header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].utf8.count == 2, parts[0] != "ff",
            parts[0] != "00" || parts.count == 4,
            parts[1].utf8.count == 32,
            parts[2].utf8.count == 16, parts[3].utf8.count == 2,
            parts.prefix(4).allSatisfy({
                $0.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
            }),
            let high = UInt64(parts[1].prefix(16), radix: 16),
            let low = UInt64(parts[1].suffix(16), radix: 16),
            let span = UInt64(parts[2], radix: 16),
            let flags = UInt8(parts[3], radix: 16), high != 0 || low != 0, span != 0
        else { return nil }
        (trace, self.span, isSampled) = ((high, low), span, flags & 1 == 1)
    }

    /// Sixteen hexadecimal digits, as headers and exporters write half an id.
    static func digits(_ value: UInt64) -> String { String(format: "%016llx", value) }
    /// The trace's id as 32 hexadecimal digits.
    var traceDigits: String { Self.digits(trace.0) + Self.digits(trace.1) }
    /// The same as a `traceparent` header (W3C Trace Context, version 00).
    var header: String { "00-\(traceDigits)-\(Self.digits(span))-0\(isSampled ? 1 : 0)" }
}

/// The key under which a task carries its span's identity.
private enum TraceKey: InstrumentationContextKey { typealias Value = TraceIdentity }

/// Makes spans and hands them to a ``TraceExporter`` when they end. What a request's `traceparent`
/// says is followed: its trace goes on, and what is not sampled there is not recorded here, unless
/// the sampler decides on each trace itself.
public struct TraceRecorder: Tracer {
    private let exporter: TraceExporter, sampler: TraceSampler

    /// A recorder of the spans of one process.
    ///
    /// - Parameter exporter: gets the spans; its settings say which.
    public init(exporter: TraceExporter) {
        (self.exporter, sampler) = (exporter, exporter.settings.sampler)
    }

    /// Begins a span: in its caller's trace if there is one, else in one of its own. A span of a
    /// trace that is not sampled records nothing.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String, file fileID: String, line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context[TraceKey.self]
        var identity = TraceIdentity(trace: parent?.trace)
        // Spans below one of this process share its choice: the id decides, or their caller did.
        identity.isSampled = sampler.records(identity.trace.1, caller: parent?.isSampled)
        context[TraceKey.self] = identity
        return RecordedSpan(
            operationName, context, identity, parent: parent?.span, kind: kind,
            start: instant().nanosecondsSinceEpoch,
            exporter: identity.isSampled ? exporter : nil)
    }

    /// Sends what waits, and returns when it is sent.
    public func forceFlush() { exporter.flush() }

    /// Takes a caller's trace from `traceparent`. A header that is none begins no trace.
    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    )
    where Extract.Carrier == Carrier {
        if let identity = extractor.extract(key: "traceparent", from: carrier).flatMap({
            TraceIdentity(header: $0)
        }) {
            context[TraceKey.self] = identity
        }
    }

    /// Passes the trace on as `traceparent`.
    public func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    )
    where Inject.Carrier == Carrier {
        if let identity = context[TraceKey.self] {
            injector.inject(identity.header, forKey: "traceparent", into: &carrier)
        }
    }
}

/// A span of a ``TraceRecorder``.
public final class RecordedSpan: Span {
    /// The part of a span that changes while it runs, behind one lock.
    struct State: Sendable {
        var name: String, attributes: SpanAttributes = [:], isEnded = false
        /// The error, if there was one.
        var error: String?
        /// Moments within the span, in nanoseconds since 1970.
        var events: [(name: String, time: UInt64)] = []
    }
    /// Events of a span; more are dropped.
    private static let maximumEvents = 32

    /// The span's own trace, for spans below it.
    public let context: InstrumentationContext
    /// Fixed from the start: identity, the span above, kind, and start in nanoseconds since 1970.
    let identity: TraceIdentity, parent: UInt64?, kind: SpanKind, start: UInt64
    private let exporter: TraceExporter?
    /// Name, attributes, error and events.
    private let state: NIOLockedValueBox<State>

    init(
        _ name: String, _ context: InstrumentationContext, _ identity: TraceIdentity,
        parent: UInt64?, kind: SpanKind,
        start: UInt64,
        exporter: TraceExporter?
    ) {
        (self.context, self.identity, self.parent, self.kind, self.start, self.exporter) = (
            context, identity, parent, kind, start, exporter
        )
        state = NIOLockedValueBox(State(name: name))
    }

    /// The span's name, which may change while it runs.
    public var operationName: String {
        get { state.withLockedValue { $0.name } }
        set { state.withLockedValue { $0.name = newValue } }
    }

    /// The span's attributes. Texts of memories are never among them.
    public var attributes: SpanAttributes {
        get { state.withLockedValue { $0.attributes } }
        set { state.withLockedValue { $0.attributes = newValue } }
    }

    /// True if what is said of the span is sent: until it ends, if its trace is sampled.
    public var isRecording: Bool { exporter != nil && !state.withLockedValue { $0.isEnded } }

    /// Says that what the span stands for failed, or did not.
    public func setStatus(_ status: SpanStatus) {
        if case .error = status.code { state.withLockedValue { $0.error = status.message ?? "" } }
    }

    /// Adds a moment within the span; those over the most are dropped.
    public func addEvent(_ event: SpanEvent) {
        state.withLockedValue {
            if $0.events.count < Self.maximumEvents {
                $0.events.append((event.name, event.nanosecondsSinceEpoch))
            }
        }
    }

    /// Errors are named by their kind; messages may quote what was said.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        state.withLockedValue { $0.error = "\(type(of: error))" }
    }

    /// Links are not kept.
    public func addLink(_ link: SpanLink) {}

    /// Ends the span and hands it to the exporter, once.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let ended = state.withLockedValue { state -> State? in
            guard !state.isEnded else { return nil }
            state.isEnded = true
            return state
        }
        if let ended, let exporter {
            exporter.add(self, ended, end: instant().nanosecondsSinceEpoch)
        }
    }
}
