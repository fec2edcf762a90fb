import ArgumentParser

/// `mneme guard`: what keeps injected memories out of prompts, measured.
struct GuardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard",
        abstract: "Measure how many injected memories reach a prompt, with and without the guard.",
        discussion: """
            The guard quarantines what reads like an instruction, and what contradicts what related memories imply. What you \
            quarantine or release teaches it: `mneme quarantine ID`, `mneme release ID`. `mneme jobs add guard` looks through \
            what is stored already; `mneme list --state quarantined` shows what it holds.
            """,
        subcommands: [Eval.self])
}
