import MnemeKV

/// The order in which a batch of requests, all known beforehand, is handed to the scheduler.
package enum BatchOrder: Sendable {
    /// As the trace has them.
    case arrival
    /// Grouped by prefix, those with long answers first: ``PrefixGroups``.
    case batchLLM

    /// Their names, as options take them.
    package static let names = ["arrival", "batchllm"]

    /// The order of a name.
    ///
    /// - Throws: `EngineError` if there is none of that name.
    package static func named(_ name: String) throws -> BatchOrder {
        switch name {
        case "arrival": .arrival
        case "batchllm": .batchLLM
        default:
            throw EngineError(
                .invalidRequest, "There is no order '\(name.prefix(80))'. There are \(names.joined(separator: ", ")).")
        }
    }

    /// The requests in this order: all there at once, and nobody's turn is kept.
    package func order(_ requests: [TraceRequest]) -> [TraceRequest] {
        let ordered: [TraceRequest] =
            switch self {
            case .arrival: requests
            case .batchLLM: PrefixGroups(requests).order.map { requests[$0] }
            }
        return ordered.map { request in
            var request = request
            (request.arrival, request.owner) = (0, "")
            return request
        }
    }
}
