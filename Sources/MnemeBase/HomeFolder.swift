import Foundation

/// The folder in which Mneme keeps what is the user's: the store, models, keys, kept KV blocks.
package enum HomeFolder {
    /// The folder of this process.
    package static var path: String { path(in: ProcessInfo.processInfo.environment) }

    /// `MNEME_HOME`, or `~/.mneme` where that is not set. An empty value counts as not set, as
    /// shells leave it behind: files would lie in the root folder else.
    package static func path(in environment: [String: String]) -> String {
        guard let home = environment["MNEME_HOME"], !home.isEmpty else {
            return NSHomeDirectory() + "/.mneme"
        }
        return home
    }
}
