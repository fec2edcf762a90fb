public import Foundation
import Mneme
import MnemeBase

/// Where spans are sent, under which names, and how many: from an address and from OpenTelemetry's
/// variables of the environment (specification 1.x, "Environment Variable Specification").
///
/// Read are `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER` (`otlp`, `none`),
/// `OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT|HEADERS|TIMEOUT|PROTOCOL` (`http/json` alone),
/// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and its `_ARG`.
public struct TraceSettings: Sendable, Equatable {
    /// A file, or a collector's address.
    public enum Target: Sendable, Equatable {
        /// A file, by its path.
        case file(String)
        /// A collector, by its address.
        case collector(URL)
    }
    /// The file or collector that spans are written to.
    public var target: Target
    /// Headers of each request to the collector, such as its key.
    public var headers: [String: String] = [:]
    /// Seconds that the collector has for an answer.
    public var timeout: Int64 = 5
    /// The resource that the spans are of: `service.name` and others.
    public var resource: [String: String] = ["service.name": "mneme"]
    /// Which traces are recorded.
    public var sampler = TraceSampler()

    /// Reads the settings.
    ///
    /// - Parameters:
    ///   - target: `http://host:4318` (or the full path of its receiver), or a file; nil takes the
    ///     environment's endpoint.
    ///   - version: the program's.
    ///   - environment: variables by name; empty ones count as not set.
    /// - Returns: nil if no traces are asked for.
    /// - Throws: `InputError` that names the variable, or the address that is none.
    public init?(target: String?, version: String, environment: [String: String]) throws {
        /// A variable that is set to something; of two names the first that is.
        func value(_ names: String...) -> (name: String, text: String)? {
            for name in names {
                if let text = environment[name], !text.isEmpty { return (name, text) }
            }
            return nil
        }
        func both(_ name: String) -> (name: String, text: String)? {
            value("OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name)
        }
        if let exporter = value("OTEL_TRACES_EXPORTER"), target == nil {
            if exporter.text == "none" { return nil }
            guard exporter.text == "otlp" else {
                throw InputError(
                    "OTEL_TRACES_EXPORTER is '\(exporter.text.prefix(100))'; here are otlp and none.")
            }
        }
        if environment["OTEL_SDK_DISABLED"]?.lowercased() == "true", target == nil { return nil }
        guard let place = target.map({ ("--traces", $0) }) ?? both("ENDPOINT") else { return nil }
        // Only the variable of traces alone has the receiver's whole path.
        self.target = try Self.target(
            place.1, name: place.0, isWhole: place.0 == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        if case .collector = self.target, let form = both("PROTOCOL"), form.text != "http/json" {
            throw InputError(
                "\(form.name) is '\(form.text.prefix(100))', and traces are sent as http/json. Set it to that (port 4318 of a collector), or OTEL_TRACES_EXPORTER=none."
            )
        }
        if let headers = both("HEADERS") {
            self.headers = try Self.list(headers.text, name: headers.name)
        }
        if let timeout = both("TIMEOUT") {
            guard let milliseconds = Int64(timeout.text), (1...3_600_000).contains(milliseconds)
            else {
                throw InputError(
                    "\(timeout.name) is '\(timeout.text.prefix(100))', and no number of milliseconds.")
            }
            self.timeout = max(1, milliseconds / 1000)
        }
        if let attributes = value("OTEL_RESOURCE_ATTRIBUTES") {
            resource.merge(try Self.list(attributes.text, name: attributes.name)) { $1 }
        }
        if let service = value("OTEL_SERVICE_NAME") { resource["service.name"] = service.text }
        resource["service.version"] = version
        if let sampler = value("OTEL_TRACES_SAMPLER") {
            self.sampler = try TraceSampler(
                sampler.text, argument: value("OTEL_TRACES_SAMPLER_ARG")?.text)
        }
    }

    /// A collector's address with its receiver's path, or a file.
    private static func target(_ text: String, name: String, isWhole: Bool) throws -> Target {
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            guard name == "--traces" else {
                throw InputError("\(name) is '\(text.prefix(200))', and no address of a collector.")
            }
            return .file(text)
        }
        guard let url = URL(string: text), url.host != nil else {
            throw InputError("\(name): '\(text.prefix(200))' is no address of a collector.")
        }
        if isWhole || (name == "--traces" && !["", "/"].contains(url.path)) {
            return .collector(url)
        }
        return .collector(url.appendingPathComponent("v1/traces"))
    }

    /// `key=value,key=value`, values with percent signs (W3C Baggage).
    private static func list(_ text: String, name: String) throws -> [String: String] {
        var list: [String: String] = [:]
        for pair in text.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard parts.count == 2, !parts[0].isEmpty,
                parts[0].utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 58 }),
                let value = parts[1].removingPercentEncoding,
                !value.utf8.contains(where: { $0 < 32 || $0 == 127 })
            else {
                // The value may be a key: it is not repeated.
                throw InputError("\(name) is no list such as key=value,key=value.")
            }
            list[parts[0]] = value
        }
        return list
    }
}

/// Which traces are recorded: OpenTelemetry's built-in samplers.
public struct TraceSampler: Sendable, Equatable {
    /// The share of traces that are recorded.
    var share = 1.0
    /// True if a caller's choice is followed; else each trace is decided on here.
    var followsCaller = true

    /// All traces, and a caller's choice is followed: `parentbased_always_on`.
    init() {}

    /// Reads a sampler's name.
    ///
    /// - Parameter argument: the share of `traceidratio`, 0 to 1; 1 if nil.
    /// - Throws: `InputError` for names and shares that are none.
    init(_ name: String, argument: String?) throws {
        let (base, isBased) =
            name.hasPrefix("parentbased_") ? (String(name.dropFirst(12)), true) : (name, false)
        followsCaller = isBased
        switch base {
        case "always_on": share = 1
        case "always_off": share = 0
        case "traceidratio":
            guard let value = Double(argument ?? "1"), (0...1).contains(value) else {
                throw InputError("OTEL_TRACES_SAMPLER_ARG is no share between 0 and 1.")
            }
            share = value
        default:
            throw InputError(
                "OTEL_TRACES_SAMPLER is '\(name.prefix(100))'; here are always_on, always_off, traceidratio, and each with parentbased_ before it."
            )
        }
    }

    /// True if a trace is recorded.
    ///
    /// - Parameters:
    ///   - low: the lower half of its id, which is random, so that all services choose the same.
    ///   - caller: the caller's choice, if the trace is a caller's.
    func records(_ low: UInt64, caller: Bool?) -> Bool {
        if followsCaller, let caller { return caller }
        // 56 bits are random (W3C Trace Context, level 2).
        return Double(low & 0xff_ffff_ffff_ffff) < share * 0x1p56
    }
}
