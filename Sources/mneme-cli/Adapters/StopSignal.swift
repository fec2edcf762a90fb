import Dispatch
import Foundation
import NIOConcurrencyHelpers

/// Control-C and SIGTERM while a training or jobs run: noted, and asked for between steps, so that they end with a
/// checkpoint. Shells start programs in the background with Control-C ignored; here it is noted then, too.
final class StopSignal {
    private let isStopped = NIOLockedValueBox(false)
    private let sources: [any DispatchSourceSignal]

    /// Notes signals from here on, for as long as this lives.
    ///
    /// - Parameter then: called at each signal, on another thread.
    init(then: @escaping @Sendable () -> Void = {}) {
        sources = [SIGINT, SIGTERM].map { [isStopped] number in
            // The source sees it all the same.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                isStopped.withLockedValue { $0 = true }
                then()
            }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }

    /// True once a signal came.
    var isRaised: Bool { isStopped.withLockedValue { $0 } }

    /// - Throws: `CancellationError` once a signal came.
    func check() throws {
        if isRaised { throw CancellationError() }
    }
}
