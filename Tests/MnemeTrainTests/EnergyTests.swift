import Foundation
import MnemeBench
import MnemeModels
import MnemeTrain
import Testing

@Suite struct EnergyTests {
    /// Values of scipy.stats.ttest_1samp and scipy.special.betainc.
    @Test func `a test of pairs gives scipy's values`() {
        let test = PairedTest([0.1, 0.3, -0.2, 0.5, 0.4])
        #expect(abs(test.t - 1.7728105208558367) < 1e-9)
        #expect(abs(test.p - 0.15094405366901756) < 1e-9)
        // Quantiles of the distribution's tables.
        #expect(abs(PairedTest([1, 2]).t - 3) < 1e-12)
        #expect(abs(PairedTest([1, 2]).p - 0.20483276469913345) < 1e-9)
        let many = PairedTest((0..<31).map { 1 + ($0 % 2 == 0 ? 1 : -1) * 0.5 })
        #expect(many.p < 1e-9 && many.p >= 0)
        #expect(PairedTest([2, 2, 2]).p == 0 && PairedTest([0, 0]).p == 1 && PairedTest([4]).p == 1)
    }

    @Test func `formats are compared seed by seed, and a processor without one says so`() throws {
        try TrainingFixture.withFolder { folder in
            try RandomDecoder().write(to: folder)
            var settings = TrainingSettings()
            (settings.steps, settings.keep) = (3, nil)
            let source = try ModelSource(path: folder)
            #expect(throws: TrainingError.self) {
                try TrainingEnergy.run(source, settings: settings, seeds: [1])
            }
            guard TrainingPrecision.fastest == .bf16 else {
                let error = #expect(throws: TrainingError.self) {
                    try TrainingEnergy.run(
                        source, settings: settings, seeds: [1, 2])
                }
                #expect(error?.code == .invalidSetting)
                return
            }
            let report = try TrainingEnergy.run(
                source, settings: settings, seeds: [1, 2])
            #expect(report.runs.map(\.precision) == [.f32, .bf16, .f32, .bf16])
            #expect(report.runs[1].modelledJoules < report.runs[0].modelledJoules)
            #expect(report.runs.allSatisfy { $0.modelledJoules > 0 && $0.heldOutLoss > 0 })
        }
    }
}
