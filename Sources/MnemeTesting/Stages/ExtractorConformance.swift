import Foundation
import MnemeCube
public import MnemePipeline

/// Requirements of every `MemoryExtractor` of MnemePipeline, as checks that a test runs on a value.
public typealias ExtractorConformance = Conformance<any MemoryExtractor>

extension Conformance where Subject == any MemoryExtractor {
    private static var context: ExtractionContext {
        ExtractionContext(scope: StageSamples.scope, time: StageSamples.now)
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] { drafting + enriching }

    private static var drafting: [Self] {
        [
            // A draft under another owner would be somebody else's memory.
            Self("drafts belong to whom the input belongs") { extractor in
                for text in StageSamples.texts {
                    for draft in extractor.drafts(of: StageSamples.input(text), in: context) {
                        let scope = draft.cube.scope
                        try expect(scope.owner == StageSamples.scope.owner)
                        try expect(scope.agent == "helper" && scope.session == "s2")
                    }
                }
            },
            // What was said in confidence stays so in every part of it.
            Self("no draft is labelled lower than its input") { extractor in
                for text in StageSamples.texts {
                    let drafts = extractor.drafts(of: StageSamples.input(text), in: context)
                    try expect(drafts.allSatisfy { $0.cube.sensitivity >= .confidential })
                }
            },
            // A repeated import finds its memories again by their texts.
            Self("the same input has the same drafts") { extractor in
                for text in StageSamples.texts {
                    let input = StageSamples.input(text)
                    let first = extractor.drafts(of: input, in: context)
                    let second = extractor.drafts(of: input, in: context)
                    try expect(first.map(\.cube.text) == second.map(\.cube.text))
                    try expect(first.map(\.cube.type) == second.map(\.cube.type))
                    try expect(first.map(\.cube.derived) == second.map(\.cube.derived))
                    try expect(first.map(\.words) == second.map(\.words))
                }
            },
            // Two memories of one id are one memory.
            Self("drafts have ids of their own, and name as source an earlier draft") { extractor in
                for text in StageSamples.texts {
                    let drafts = extractor.drafts(of: StageSamples.input(text), in: context)
                    try expect(Set(drafts.map(\.cube.id)).count == drafts.count)
                    for (number, draft) in drafts.enumerated() {
                        if let source = draft.source {
                            try expect(drafts.indices.contains(source) && source != number)
                        }
                    }
                }
            },
        ]
    }

    private static var enriching: [Self] {
        [
            // Called again after each change of the text: what it leaves alone must stay, or an
            // update would move a memory to another owner, label or time.
            Self("enriching changes what is derived, and nothing else") { extractor in
                for memory in StageSamples.memories {
                    var cube = memory
                    cube.tags = ["kept"]
                    let before = cube
                    extractor.enrich(&cube, words: StageSamples.words(cube.text))
                    cube.derived = before.derived
                    try expect(cube == before, "\(before.text)")
                }
            },
            Self("enriching again finds the same") { extractor in
                for memory in StageSamples.memories {
                    var cube = memory
                    extractor.enrich(&cube, words: StageSamples.words(cube.text))
                    let once = cube.derived
                    extractor.enrich(&cube, words: StageSamples.words(cube.text))
                    try expect(cube.derived == once, "\(memory.text)")
                }
            },
        ]
    }
}
