import Foundation
import MnemeIndex
import MnemeStore

/// What links lead to.
extension OwnerIndex {
    /// Documents within two steps of some seeds in the graph, with their share of the walks:
    /// personalised PageRank as in HippoRAG (Gutiérrez et al. 2024), cut off early. Nodes of
    /// entities carry walks and are not returned.
    func around(_ seeds: [(document: Int, weight: Float)], asOf: Date? = nil) -> [(
        document: Int, score: Float
    )] {
        graph.walk(
            from: seeds.map { (node(of: $0.document), $0.weight) }, hops: 2,
            before: asOf?.timeIntervalSince1970 ?? .infinity
        )
        .compactMap { nodeDocuments[$0.node] >= 0 ? (Int(nodeDocuments[$0.node]), $0.score) : nil }
    }

    /// Documents that links of the store connect with some, those with most and strongest links
    /// first.
    func linked(with documents: [Int], asOf: Date? = nil) -> [(document: Int, score: Float)] {
        let seeds = documents.filter(self.documents.indices.contains)
        return graph.walk(
            from: seeds.map { (node(of: $0), 1) }, hops: 1,
            kinds: [.related, .causal, .derivedFrom],
            before: asOf?.timeIntervalSince1970 ?? .infinity
        )
        .compactMap { nodeDocuments[$0.node] >= 0 ? (Int(nodeDocuments[$0.node]), $0.score) : nil }
        .sorted { ($1.score, $0.document) < ($0.score, $1.document) }
    }

    /// The document that holds in place of a superseded one, at the end of the chain, if this index
    /// has it. Chains are followed for at most 64 steps, so that a cycle ends.
    func successor(of number: Int) -> Int? {
        var number = number
        for _ in 0..<64 {
            guard documents[number].validUntil != nil,
                let next = successors[documents[number].id].flatMap({ self.number(of: $0) })
            else { return nil }
            if documents[next].validUntil == nil { return next }
            number = next
        }
        return nil
    }
}
