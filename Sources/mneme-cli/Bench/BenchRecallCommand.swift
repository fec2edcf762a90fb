import ArgumentParser
import MnemeBench

/// `mneme bench recall`: how often recall finds the evidence of your own questions, or of LoCoMo's and
/// LongMemEval's, and answers right. The file's form is found by its first record.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchRecallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recall",
        abstract: "Recall of evidence, and answers, on your own questions (JSON lines), LoCoMo or LongMemEval.",
        discussion: """
            A line of your own file: {"history": [TEXT or {"id", "text", "speaker", "time", "session"}, …], "question": \
            TEXT, "evidence": [ids, or places from 0], "answer": TEXT}. Instead of one question, "questions" holds a list \
            of such objects. Without a file a small sample is run.
            """)

    @Argument(help: "JSON lines of your own, a LoCoMo file or a LongMemEval file.") var file: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Finds the file's form, and runs it.
    func run() async throws {
        var format = BenchFormat.questions
        if let file {
            var records = try JSONRecords(path: file)
            if let first = try records.next() { format = try BenchCatalog.format(of: first) }
        }
        try await options.run(format, file: file)
    }
}
