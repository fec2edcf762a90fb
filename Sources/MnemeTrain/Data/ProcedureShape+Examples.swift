public import MnemeModels

extension ProcedureShape {
    /// The procedures that examples follow, in the order in which they come, behind those of an earlier adapter.
    ///
    /// - Parameters:
    ///   - examples: each with a procedure, or parts that have some.
    ///   - tokensEach: tokens of each; an earlier adapter's count where there is one.
    ///   - start: the adapter to add to; nil for none.
    /// - Throws: ``TrainingError`` if they add nothing, or that adapter has no procedures.
    public init(of examples: [TrainingExample], tokensEach: Int, addedTo start: Adapter?) throws {
        guard let start else {
            self.init(names: [], tokensEach: tokensEach)
            try add(examples)
            return
        }
        guard let earlier = start.procedures else {
            throw TrainingError(
                .invalidSetting,
                "The adapter to start from has no procedures. Add procedures to one that was trained with --route tokens."
            )
        }
        self.init(names: earlier.names, tokensEach: earlier.tokensEach)
        self.earlier = earlier.names.count
        try add(examples)
    }

    private mutating func add(_ examples: [TrainingExample]) throws {
        var known = Set(names)
        for example in examples {
            let own = example.parts.isEmpty ? [example.procedure].compactMap(\.self) : example.parts.map(\.procedure)
            for name in own where known.insert(name).inserted { names.append(name) }
        }
        try check()
    }

    /// The tokens of all, by name.
    ///
    /// - Parameter vocabulary: tokens that the model has of its own.
    func tokens(vocabulary: Int) -> [String: [Int32]] {
        Dictionary(uniqueKeysWithValues: names.map { ($0, tokens(of: $0, vocabulary: vocabulary)) })
    }
}

extension AdapterShape {
    /// No terms, and these procedures.
    init(_ procedures: ProcedureShape) {
        self.init()
        (rank, targets, self.procedures) = (1, [], procedures)
    }

    /// No terms, and a side network.
    init(_ side: SideShape) {
        self.init()
        (rank, targets, self.side) = (1, [], side)
    }
}
