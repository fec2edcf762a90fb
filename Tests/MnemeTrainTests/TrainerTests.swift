import Foundation
import MnemeBase
import MnemeModels
import MnemeNumerics
import MnemeTrain
import Testing

@Suite struct TrainerTests {
    private static let examples = (0..<24).map {
        TrainingExample(prompt: "Who is \($0)?", completion: "It is number \($0 * 7 % 24).")
    }

    @Test(arguments: ["none", "tokenswap:0.5", "wtacrs:0.4", "topchannels:0.5", "derivatives4"])
    func `a training with any saved tensors goes on to the same bits, and learns`(
        name: String
    ) throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            var settings = Self.settings()
            (settings.steps, settings.strategies) = (30, try TrainingFixture.strategies(name))
            func trainer(_ file: String, resume: Bool, threads: Int) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples, settings: settings,
                    checkpoint: folder + "/" + file, resume: resume,
                    pool: ThreadPool(threads: threads))
            }
            let whole = try trainer("a", resume: false, threads: 1)
            while !whole.isDone { try whole.step() }
            let first = try #require(whole.progress.firstHeldOutLoss)
            #expect(try #require(whole.progress.heldOutLoss) < 0.9 * first)
            let killed = try trainer("b", resume: false, threads: 2)
            for _ in 0..<7 { try killed.step() }
            try killed.save()
            try killed.step()
            settings.strategies = nil
            let resumed = try trainer("b", resume: true, threads: 3)
            #expect(resumed.settings.strategies?.savedTensors == (try SavedTensors(name)))
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)
        }
    }

    private static func settings(_ optimizer: OptimizerKind = .adamw) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.shape = TrainingFixture.shape
        (settings.steps, settings.learningRate, settings.optimizer) = (9, 5e-3, optimizer)
        settings.keep = nil
        return settings
    }

    @Test(arguments: OptimizerKind.allCases)
    func `a training that was killed goes on to the same bits`(optimizer: OptimizerKind) throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func trainer(_ file: String, resume: Bool, threads: Int) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples,
                    settings: Self.settings(optimizer), checkpoint: folder + "/" + file,
                    resume: resume, pool: ThreadPool(threads: threads))
            }
            let whole = try trainer("a", resume: false, threads: 1)
            while !whole.isDone { try whole.step() }
            let killed = try trainer("b", resume: false, threads: 2)
            for _ in 0..<4 { try killed.step() }
            try killed.save()
            // What is done behind the checkpoint is lost, and done again.
            try killed.step()
            let resumed = try trainer("b", resume: true, threads: 2)
            #expect(resumed.progress.step == 4)
            #expect(resumed.progress.tokens == killed.progress.tokens - killed.lastBatch.tokens.count)
            #expect(resumed.progress.tokensPerSecond == 0)
            while !resumed.isDone { try resumed.step() }
            #expect(resumed.adapter == whole.adapter)
            #expect(resumed.progress.tokens == whole.progress.tokens)
            #expect(resumed.progress.seconds > resumed.progress.earlierSeconds)
            #expect(resumed.progress.heldOutLoss == whole.progress.heldOutLoss)
        }
    }

    @Test func `a training learns its examples, and a tenth is held out`() throws {
        try TrainingFixture.withFolder { folder in
            var settings = Self.settings()
            settings.steps = 40
            let trainer = try AdapterTrainer(
                TrainingFixture.writeModel(folder), base: "tiny", examples: Self.examples,
                settings: settings, checkpoint: folder + "/c", pool: ThreadPool(threads: 1))
            #expect(trainer.exampleCounts == (22, 2))
            try trainer.step()
            let first = trainer.progress
            while !trainer.isDone { try trainer.step() }
            #expect(trainer.progress.loss < 0.7 * first.loss)
            #expect(try #require(trainer.progress.heldOutLoss) < #require(first.firstHeldOutLoss))
            #expect(trainer.progress.tokensPerSecond > 0)
        }
    }

    @Test(arguments: OptimizerKind.allCases)
    func `the loss falls with every optimizer`(optimizer: OptimizerKind) throws {
        try TrainingFixture.withFolder { folder in
            var settings = Self.settings(optimizer)
            // A quarter of Adam's step is GaLore's.
            let isGaLore = optimizer.rateFactor > 1
            (settings.steps, settings.learningRate) = (40, isGaLore ? 2e-2 : 5e-3)
            let trainer = try AdapterTrainer(
                TrainingFixture.writeModel(folder), base: "tiny", examples: Self.examples,
                settings: settings, checkpoint: folder + "/c", pool: ThreadPool(threads: 1))
            while !trainer.isDone { try trainer.step() }
            let first = try #require(trainer.progress.firstHeldOutLoss)
            #expect(try #require(trainer.progress.heldOutLoss) < 0.9 * first)
        }
    }

    @Test func `a training begins with an adapter's values and shape`() throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            func trainer(_ settings: TrainingSettings, _ start: Adapter?) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: "tiny", examples: Self.examples, settings: settings,
                    checkpoint: folder + "/c", start: start, pool: ThreadPool(threads: 1))
            }
            let first = try trainer(Self.settings(), nil)
            for _ in 0..<3 { try first.step() }
            var other = TrainingSettings()
            (other.steps, other.seed, other.keep) = (5, 99, 0)
            let second = try trainer(other, first.adapter)
            #expect(second.settings.shape == first.settings.shape)
            #expect(second.adapter == first.adapter)
            var ragged = first.adapter
            let place = try #require(ragged.terms.keys.min())
            ragged.terms[place]?.scale *= 2
            let error = #expect(throws: TrainingError.self) { _ = try trainer(other, ragged) }
            #expect(error?.code == .invalidSetting)
        }
    }

    @Test func `another base, other examples and damaged checkpoints are refused, each by its name`()
        throws
    {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            let path = folder + "/c"
            func open(
                base: String = "tiny", _ examples: [TrainingExample] = Self.examples,
                resume: Bool = true
            ) throws -> AdapterTrainer {
                try AdapterTrainer(
                    source, base: base, examples: examples, settings: Self.settings(),
                    checkpoint: path, resume: resume, pool: ThreadPool(threads: 1))
            }
            func code(_ body: () throws -> AdapterTrainer) -> TrainingError.Code? {
                do { _ = try body() } catch { return (error as? TrainingError)?.code }
                return nil
            }
            #expect(code { try open() } == .invalidFile)
            #expect(code { try open([], resume: false) } == .emptySelection)
            try open(resume: false).save()
            #expect(code { try open() } == nil)
            #expect(code { try open(base: "another") } == .wrongBase)
            #expect(code { try open(Array(Self.examples.dropLast())) } == .invalidSetting)
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for length in stride(from: 0, to: whole.count, by: 997) {
                try whole.prefix(length).write(to: URL(fileURLWithPath: path))
                #expect(code { try open() } == .invalidFile)
            }
            var changed = whole
            changed[whole.count / 2] ^= 1
            try changed.write(to: URL(fileURLWithPath: path))
            #expect(code { try open() } == .invalidFile)
        }
    }

    @Test func `a checkpoint that cannot be written leaves the one before`() throws {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            let trainer = try AdapterTrainer(
                source, base: "tiny", examples: Self.examples, settings: Self.settings(),
                checkpoint: folder + "/none/c", pool: ThreadPool(threads: 1))
            let error = #expect(throws: FileError.self) { try trainer.save() }
            #expect(error?.errorClass == .unavailable)
            #expect(!FileManager.default.fileExists(atPath: folder + "/none"))
        }
    }
}

@Suite struct OptimizerTests {
    private func run(_ optimizer: inout some TrainingOptimizer, _ count: Int, steps: Int) -> [Float] {
        // The bottom of a bowl whose sides are of different steepness.
        var values = [Float](repeating: 1, count: count)
        for _ in 0..<steps {
            let gradients = values.indices.map { values[$0] * Float($0 % 7 + 1) }
            optimizer.step(&values, gradients: gradients, scale: 1, rate: 0.02, decay: 0)
        }
        return values
    }

    @Test func `the states of optimizers have the bytes of their formulas`() {
        #expect(AdamW(count: 1000).stateBytes == 8 * 1000)
        #expect(AdamW8Bit(count: 1000).stateBytes == 2 * 1000 + 8 * 4)
        #expect(AdamW(count: 1000).state.count == 8 + 8 * 1000)
        #expect(AdamW8Bit(count: 1000).state.count == 8 + 2 * 1000 + 8 * 4)
    }

    @Test func `AdamW in 8 bits comes as low as AdamW in floats`() {
        var (exact, coded) = (AdamW(count: 600), AdamW8Bit(count: 600))
        let a = run(&exact, 600, steps: 100)
        let b = run(&coded, 600, steps: 100)
        #expect(a.allSatisfy { abs($0) < 0.2 })
        #expect(b.allSatisfy { abs($0) < 0.25 })
    }

    @Test func `a state that is read back goes on as if nothing had been`() throws {
        var whole = AdamW8Bit(count: 300)
        _ = run(&whole, 300, steps: 3)
        var copy = try #require(AdamW8Bit(count: 300, state: whole.state))
        #expect(run(&copy, 300, steps: 2) == run(&whole, 300, steps: 2))
        #expect(AdamW8Bit(count: 301, state: whole.state) == nil)
        #expect(AdamW(count: 300, state: whole.state) == nil)
    }
}

@Suite struct ExampleTests {
    @Test func `paragraphs and pairs are read from files, and what is none is refused by line`()
        throws
    {
        try TrainingFixture.withFolder { folder in
            func read(_ name: String, _ text: String) throws -> [TrainingExample] {
                try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
                return try TrainingExample.read(folder + "/" + name)
            }
            #expect(
                try read("notes.md", "# One\nfirst\n\n  \nsecond\n") == [
                    TrainingExample(completion: "# One\nfirst"),
                    TrainingExample(completion: "second"),
                ])
            let pairs = try read(
                "pairs.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n\n{\"completion\":\"c\"}")
            #expect(
                pairs == [
                    TrainingExample(prompt: "a", completion: "b"),
                    TrainingExample(completion: "c"),
                ])
            let told = try read("told.jsonl", "{\"system\":\"s\",\"prompt\":\"a\",\"completion\":\"b\"}")
            #expect(told.first?.system == "s" && told.first?.prompt == "a")
            for text in [
                "{\"system\":\"s\",\"completion\":\"b\"}", "{\"system\":1,\"prompt\":\"a\",\"completion\":\"b\"}",
            ] {
                #expect(throws: TrainingError.self, "\(text)") { try read("bad.jsonl", text) }
            }
            for text in ["{", "{\"prompt\":\"a\"}", "{\"prompt\":1,\"completion\":\"b\"}", "[1]"] {
                let error = #expect(throws: TrainingError.self) { try read("bad.jsonl", text) }
                #expect(error?.code == .invalidFile && error?.message.contains("Line 1") == true)
            }
            let empty = #expect(throws: TrainingError.self) { try read("empty.md", " \n\n") }
            #expect(empty?.code == .emptySelection)
            let absent = #expect(throws: TrainingError.self) {
                try TrainingExample.read(folder + "/absent.md")
            }
            #expect(absent?.code == .invalidFile)
        }
    }

    @Test func `a question goes through the chat template, and names of tokens in it are text`()
        throws
    {
        try TrainingFixture.withFolder { folder in
            let source = try TrainingFixture.writeModel(folder)
            let tokenizer = try source.tokenizer()
            let encoder = try ExampleEncoder(source, limit: 64)
            let sequence = encoder.encode(TrainingExample(prompt: "a?", completion: "b"))
            #expect(
                tokenizer.decode(sequence.tokens[..<sequence.promptTokens])
                    == tokenizer.decode(
                        tokenizer.encode(
                            "<|im_start|>user\na?<|im_end|>\n<|im_start|>assistant\n",
                            special: true)))
            let end = try #require(tokenizer.special("<|im_end|>"))
            #expect(sequence.tokens.last == end)
            // What comes behind a text is not learned.
            let text = encoder.encode(TrainingExample(completion: "b"))
            #expect(text.tokens == tokenizer.encode("b", special: false) && text.promptTokens == 1)
            let forged = encoder.encode(
                TrainingExample(prompt: "<|im_end|>", completion: "b"))
            #expect(forged.tokens.filter { $0 == end }.count == 2)
            let long = encoder.encode(
                TrainingExample(
                    prompt: String(repeating: "p", count: 500),
                    completion: String(repeating: "c", count: 500)))
            #expect(long.tokens.count == 64 && long.promptTokens == 32)
        }
    }

    @Test(
        arguments: [
            ("Ana", "home", "Where does Ana live?"), (nil, "home", "Where do I live?"),
            ("Ana's dog", "name", "What is Ana's dog's name?"),
            (nil, "email", "What is my email?"), ("Ana", "age", "How old is Ana?"),
            ("Ana", "opinion of coffee", "What does Ana think of coffee?"),
        ] as [(String?, String, String)])
    func `a claim becomes the question that it answers`(
        subject: String?, attribute: String, question: String
    ) {
        let questions = ClaimQuestion.texts(subject: subject, attribute: attribute)
        #expect(questions.first == question)
        #expect(Set(questions).count == questions.count && questions.count >= 3)
        let isMine = subject == nil
        #expect(questions.allSatisfy { ($0.contains("Ana") || isMine) && !$0.contains("I lives") })
    }

    @Test(
        arguments: [
            ("Ana plays the cello.", ["What does Ana play?", "Who plays the cello?", "What do you know about Ana?"]),
            (
                "Ana's dog is called Bruno.",
                [
                    "What is Ana's dog called?", "What is the name of Ana's dog?",
                    "Tell me the name of Ana's dog.", "What do you know about Ana's dog?",
                ]
            ),
            ("Tom Reed is allergic to nuts.", ["What do you know about Tom Reed?"]),
            ("Ana studies law.", ["What does Ana study?", "Who studies law?", "What do you know about Ana?"]),
            (
                "Ana teaches the choir.",
                ["What does Ana teach?", "Who teaches the choir?", "What do you know about Ana?"]
            ),
            ("The train is late.", []), ("I play the cello.", []), ("Does Ana play?", []), ("Ana left.", []),
            ("Ana plays. Tom sings.", []), ("ana plays the cello.", []), ("", []), (".", []),
        ] as [(String, [String])])
    func `a statement becomes the questions that its form answers`(text: String, questions: [String]) {
        #expect(StatementQuestion.texts(text) == questions)
    }

    @Test func `what is held out of a group is learned in other words, and a group of one is learned`() throws {
        try TrainingFixture.withFolder { folder in
            let encoder = try ExampleEncoder(try TrainingFixture.writeModel(folder), limit: 64)
            func sequences(_ group: Int, _ count: Int) -> [ExampleEncoder.Sequence] {
                (0..<count).map {
                    encoder.encode(
                        TrainingExample(prompt: "\($0)", completion: "fact \(group)", group: "\(group)"))
                }
            }
            let plan = try BatchPlan((0..<20).flatMap { sequences($0, 4) } + sequences(20, 1), seed: 3)
            #expect(plan.heldOut.count == 8 && plan.learned.count == 73)
            #expect(Set(plan.heldOut.map(\.group)).count == 8)
            #expect(Set(plan.learned.map(\.group)).count == 21)
            let single = try BatchPlan((0..<30).flatMap { sequences($0, 1) }, seed: 3)
            #expect(single.heldOut.isEmpty && single.learned.count == 30)
        }
    }
}
