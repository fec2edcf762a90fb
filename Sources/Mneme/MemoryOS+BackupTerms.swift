import MnemeIndex
public import MnemeStore

extension MemoryOS {
    /// What index and duplicates go by of a memory's text, for a backup that puts back a version of
    /// which it has the text alone.
    public static func terms(of cube: MemCube) -> BackupTextTerms {
        let analysis = Analysis(
            text: cube.text, words: TextAnalyzer.words(cube.text), entities: cube.entities, speaker: cube.speaker,
            eventTime: cube.localTime, analyzer: TextAnalyzer())
        var content = MemoryInput(
            cube.text, speaker: cube.speaker, eventTime: cube.eventTime, session: cube.scope.session)
        content.reference = cube.provenance.reference
        return BackupTextTerms(
            analysis: analysis.encoded, analyzer: analyzerVersion,
            contentHash: contentHash(content, part: cube.provenance.part ?? 0, scope: cube.scope))
    }
}
