import Foundation
import MnemeBase

/// Reads traces of requests, in one of three formats that the first line tells apart.
///
/// - Azure's LLM inference traces (Patel et al. 2024): CSV with the columns `TIMESTAMP`,
///   `ContextTokens` and `GeneratedTokens`. Nothing is shared between requests.
/// - Mooncake's (Qin et al. 2024): JSON lines with `timestamp` (milliseconds), `input_length`,
///   `output_length` and `hash_ids`, one for each 512 tokens of the prompt.
/// - Mneme's own: JSON lines with `at` (seconds), `prompt` and `output` (tokens), and where known
///   `max`, `owner`, `session` (turns of one conversation), `blocks` and `block_tokens` (as
///   `hash_ids`, 32 tokens each if it says nothing).
package enum TraceFile {
    /// The most requests, and tokens of one, that are read.
    package static let maximumRequests = 4_000_000, maximumTokens = 16_000_000

    /// Reads a file, in order of arrival; times begin with its first request.
    ///
    /// - Parameter seed: names what the trace does not.
    /// - Throws: `FileError`, `InputError` with the line that is wrong.
    package static func read(_ path: String, seed: UInt64 = 0) throws -> [TraceRequest] {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw InputError("The trace '\(path)' cannot be read: \(error.localizedDescription)")
        }
        return try parse(String(decoding: data, as: UTF8.self), seed: seed)
    }

    /// Reads a trace's text.
    ///
    /// - Throws: as ``read(_:seed:)``.
    package static func parse(_ text: String, seed: UInt64 = 0) throws -> [TraceRequest] {
        let lines = text.split(whereSeparator: \.isNewline).enumerated().filter {
            !$0.element.allSatisfy(\.isWhitespace)
        }
        guard let first = lines.first else { throw InputError("The trace holds no requests.") }
        guard lines.count <= maximumRequests else {
            throw InputError("The trace holds over \(maximumRequests) requests. Split it.")
        }
        var requests: [TraceRequest] = []
        requests.reserveCapacity(lines.count)
        if first.element.first == "{" {
            let decoder = JSONDecoder()
            for (number, line) in lines {
                let record: TraceRecord
                do { record = try decoder.decode(TraceRecord.self, from: Data(line.utf8)) } catch {
                    throw fault(number, "no JSON object of a request: \(Self.reason(error))")
                }
                requests.append(try checked(record.request(unshared: seed, number), number))
            }
        } else {
            let columns = try AzureColumns(first.element)
            for (number, line) in lines.dropFirst() {
                guard let request = columns.request(line, text: unshared(seed, number)) else {
                    throw fault(number, "not the columns that its first line names")
                }
                requests.append(try checked(request, number))
            }
        }
        guard let start = requests.map(\.arrival).min() else {
            throw InputError("The trace holds no requests.")
        }
        for i in requests.indices { requests[i].arrival -= start }
        // Of equal times, the order of the file.
        return requests.enumerated().sorted { ($0.element.arrival, $0.offset) < ($1.element.arrival, $1.offset) }
            .map(\.element)
    }

    /// The name of tokens that only one line has.
    static func unshared(_ seed: UInt64, _ number: Int) -> UInt64 {
        SplitMix64.mixed(seed ^ 0x7472_6163_6500_0000 &+ UInt64(number))
    }

    /// Refuses figures that no request has.
    private static func checked(_ request: TraceRequest?, _ number: Int) throws -> TraceRequest {
        guard let request else {
            throw fault(
                number, "none of the formats: at, prompt and output, or timestamp, input_length and output_length")
        }
        let counts = 1...maximumTokens
        guard counts.contains(request.promptTokens), counts.contains(request.completionTokens),
            counts.contains(request.maxTokens ?? 1), counts.contains(request.partTokens),
            request.arrival.isFinite, abs(request.arrival) < 1e11
        else { throw fault(number, "tokens that are not 1 to \(maximumTokens), or a time that is none") }
        return request
    }

    private static func fault(_ number: Int, _ reason: String) -> InputError {
        InputError("Line \(number + 1) of the trace holds \(reason).")
    }

    /// What a decoder found, in a few words.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        default: "it is cut off or damaged"
        }
    }
}

/// A line of JSON, in Mooncake's format or our own.
private struct TraceRecord: Decodable {
    var timestamp: Double?, input_length: Int?, output_length: Int?, hash_ids: [Int]?
    var at: Double?, prompt: Int?, output: Int?, max: Int?, owner: String?, session: String?
    var blocks: [Int]?, block_tokens: Int?

    /// The request; nil if it is of neither format.
    func request(unshared seed: UInt64, _ number: Int) -> TraceRequest? {
        let own = TraceFile.unshared(seed, number)
        if let timestamp, let input_length, let output_length {
            var request = TraceRequest(promptTokens: input_length, completionTokens: output_length, text: own)
            request.arrival = timestamp / 1000
            // A name may stand for a last part that is not whole: its tokens are the prompt's end.
            request.parts = hash_ids ?? []
            return request
        }
        guard let at, let prompt, let output else { return nil }
        var request = TraceRequest(
            promptTokens: prompt, completionTokens: output, text: session.map { Self.name($0, seed) } ?? own)
        request.arrival = at
        request.maxTokens = max
        request.owner = owner ?? ""
        request.parts = blocks ?? []
        request.partTokens = block_tokens ?? 32
        return request
    }

    /// A session's number: FNV-1a of its name, mixed with the seed.
    private static func name(_ session: String, _ seed: UInt64) -> UInt64 {
        SplitMix64.mixed(
            session.utf8.reduce(0xcbf2_9ce4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }
}

/// The places of Azure's columns.
private struct AzureColumns {
    private let time: Int, prompt: Int, output: Int

    /// - Throws: `InputError` if the first line does not name them.
    init(_ header: Substring) throws {
        let names = header.split(separator: ",").map {
            $0.filter { !$0.isWhitespace && $0 != "\u{feff}" }.lowercased()
        }
        guard let time = names.firstIndex(of: "timestamp"), let prompt = names.firstIndex(of: "contexttokens"),
            let output = names.firstIndex(of: "generatedtokens")
        else {
            throw InputError(
                "The trace is of no known format: it begins with neither a JSON object nor the columns TIMESTAMP, "
                    + "ContextTokens, GeneratedTokens."
            )
        }
        (self.time, self.prompt, self.output) = (time, prompt, output)
    }

    /// The request of a line; nil if it is none.
    func request(_ line: Substring, text: UInt64) -> TraceRequest? {
        let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count > max(time, prompt, output), let at = Self.seconds(fields[time]),
            let tokens = Int(fields[prompt].trimmingCharacters(in: .whitespaces)),
            let answer = Int(fields[output].trimmingCharacters(in: .whitespaces))
        else { return nil }
        // Some answers of the published traces are empty: one token ends them.
        var request = TraceRequest(promptTokens: tokens, completionTokens: max(1, answer), text: text)
        request.arrival = at
        return request
    }

    /// Seconds of `2023-11-16 18:15:46.6805900`, with or without a time zone, or a plain number.
    private static func seconds(_ field: Substring) -> Double? {
        let text = field.trimmingCharacters(in: .whitespaces)
        if let number = Double(text) { return number }
        let parts = text.split { $0 == " " || $0 == "T" }
        guard parts.count == 2 else { return nil }
        let day = parts[0].split(separator: "-").compactMap { Int($0) }
        // The zone is the same on all lines.
        let clock = parts[1].prefix { $0.isNumber || $0 == ":" || $0 == "." }.split(separator: ":")
            .compactMap { Double($0) }
        guard day.count == 3, clock.count == 3, (1...9999).contains(day[0]), (1...12).contains(day[1]),
            (1...31).contains(day[2])
        else { return nil }
        // Days since 1970-01-01 in the Gregorian calendar (Hinnant's days_from_civil).
        let year = day[1] <= 2 ? day[0] - 1 : day[0]
        let era = year / 400
        let month = (day[1] + 9) % 12
        let days = era * 146_097 + (year - era * 400) * 365 + (year - era * 400) / 4 - (year - era * 400) / 100
        let all = days + (153 * month + 2) / 5 + day[2] - 1 - 719_468
        return Double(all) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }
}
