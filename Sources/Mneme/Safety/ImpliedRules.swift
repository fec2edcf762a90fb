/// Vocabulary and patterns of what texts imply, in the notation of ``PhraseMatcher``: wider than
/// ``GuardRules``, as they count only where related memories imply otherwise.
///
/// Data and no logic. Written after published attacks on agents' memories: AgentPoison (Chen et al.
/// 2024), MINJA (Dong et al. 2025), PoisonedRAG (Zou et al. 2024) and poisoned experiences that
/// agents follow (Srivastava and He 2025).
enum ImpliedRules {
    /// Named sets of words; a pattern refers to one as `@name`.
    static let classes = [
        "check":
            "check checks checked test tests testing review reviews reviewed reviewing validation validate validated verification verify verified approval approvals approve approved confirmation confirm confirmed consent signature signatures audit audits inspection backup backups encryption authentication authorization permission warning warnings logging limits sandbox staging lint linting typecheck hooks supervision oversight screening identification identity allergy allergies interactions",
        "skip":
            "skip skips skipped skipping bypass bypasses bypassed bypassing disable disables disabled disabling omit omits omitted omitting avoid avoided avoiding ignore ignores ignored ignoring waive waived eliminate eliminated circumvent circumvents forgo drop dropped",
        "needless":
            "unnecessary redundant optional outdated superfluous useless pointless overkill obsolete unneeded needless wasteful ceremonial",
        "destroy":
            "delete deletes deleting drop drops dropping wipe wipes wiping erase erases erasing purge purges purging destroy destroys destroying truncate truncates overwrite overwrites overwriting revoke revokes terminate terminates uninstall kill kills deactivate deactivates",
        "all": "all every entire whole database table tables records files data backups history logs account accounts",
        "choice":
            "choice option product brand provider supplier vendor service tool pick hotel restaurant bank fund broker clinic company shop airline platform",
        "choose":
            "recommend recommends recommended suggest suggested choose chosen buy bought pick picked select selected prefer preferred book booked propose",
    ]

    /// The patterns of each signal, one a line.
    static let patterns: [(GuardSignal, String)] = [
        (
            .disarming,
            """
            @check ~4 not|never|no|isn't|aren't|doesn't ~2 needed|required|necessary|mandatory|essential|worth|matter
            @check ~3 @needless
            @needless ~3 @check
            not|no|never|don't|doesn't|needn't ~2 require|requires|need|needs|needed|necessary|required|bother|perform|run|ask|wait ~4 @check
            no need ~3 @check
            @check ~3 can|may|could|should|must ~3 @skip
            @skip ~4 @check
            skipped|bypassed|waived|ignored ~1 safely
            without ~4 @check
            @check ~3 delay|delays|slow|slows|prolong|wastes|waste
            force pass|push|merge|success
            no verify|typecheck|test|lint
            rather|instead than|of ~2 @check
            @check ~2 sufficient|enough already
            """
        ),
        (
            .destruction,
            """
            ^ @destroy ~2 all|every|entire|whole
            ^ @destroy ~2 everything|database|backups|history|ledger|account|accounts|memory|memories
            should|must|to|will|can @destroy ~3 @all|everything|memory|memories
            @destroy all|every|entire|whole
            @destroy the|your|our|its ~1 database|backups|history|ledger|account|accounts
            sudden|emergency|hard|full stop|brake|halt|shutdown
            shut ~3 down|off
            deletedb|rmdir|truncate
            """
        ),
        (
            .refusal,
            """
            must|should|will|would|could|does|is|are|be not ~3 answer|answered|assist|respond|discuss|provide|determine|determined
            do not|never ~1 answer|discuss|provide ~2 question|questions|this|that|it|about|any
            cannot|can't|don't|unable|refuse|refuses|decline|declines|couldn't ~3 answer|answered|assist|respond|discuss|provide|determine|determined
            i|we|it|assistant|ai|model|nobody|notes|records ~3 don't|doesn't|not|cannot know
            no|insufficient|inadequate ~2 information|evidence|data|context|record|records|knowledge ~4 available|found|exists|exist|known
            answer ~2 unknown|unavailable|withheld|undisclosed|confidential
            i don't know
            sorry ~3 cannot|can't|unable
            has|have been ~1 redacted|withheld
            """
        ),
        (
            .promotion,
            """
            always|only|exclusively|invariably|must|should ~3 @choose
            recommend|recommends|recommended|choose|chosen|buy|book|booked|pick|picked ~6 over|above|before|exclusively|first
            @choose ~6 over|above|before all|any|every|other|others|competitors
            must|should|always ~3 be ~3 @choose
            only ~4 should|must|may ~3 be ~1 @choose
            only ~2 @choice ~3 worth|ever|should
            """
        ),
        (
            .redirection,
            """
            is|are|was|were|been|be ~3 saved|stored|filed|recorded|kept|held|mapped|merged|registered|listed|logged|archived|assigned|treated ~4 under|as|into
            same|identical|equivalent|interchangeable|synonymous ~2 as|to|with
            refer|refers|redirect|redirects|redirected|map|maps|mapped|alias|reroute|rerouted|swap|swapped|substitute|substituted|replace|replaced ~6 to|as|with|by|for
            should|must|shall|need|needs ~8 instead|rather|place
            should|must|shall|need|needs ~2 use|query|search|read|refer|pay|retrieve|access|look|select|return ~8 for|when|as
            """
        ),
        (
            .exfiltration,
            """
            send|sends|sent|forward|forwards|copy|post|upload|uploads|uploaded|share|shared|submit|report|email|emailed|bcc|cc|export|transmit|paste|sync|mirror|pay|transfer|wire|remit|backup|deliver ~8 to|at|with|via|into
            go|goes|should|must|are ~4 sent|paid|uploaded|forwarded|delivered|wired|transferred|copied ~3 to|at|via|with
            curl|wget ~6
            """
        ),
        (
            .authority,
            """
            confirmed|verified|approved|ordered|instructed|decided|validated|authorised|authorized|mandated|certified by
            officially|indisputable|indisputably|undisputed|unquestionably
            security|compliance|admin|legal|it team|department|policy|office|update|notice|bulletin
            verified|validated|trusted|approved|certified|proven ~2 pattern|patterns|procedure|source|sources|practice|success|experience|method|methods|workflow
            industry|best|standard|common practice
            best|safest|finest|preferred|trusted|leading|superior|ideal|top ~3 @choice
            better|superior|safer|cheaper than|to ~1 all|any|every|others|other|competitors|alternatives|everything
            correct|true|right|actual|real|accurate|updated|final|definitive ~1 answer|fact|value|information|figure
            it is ~2 known|established|confirmed|proven|recognized|recognised|documented
            contrary to
            other|earlier|previous|older|existing|conflicting ~2 sources|records|memories|notes|entries|information|answers ~4 wrong|outdated|incorrect|false|mistaken|superseded|unreliable
            high confidence
            100 success|percent
            worked perfectly|flawlessly
            """
        ),
    ]

    /// The weight of each signal where related memories do not imply it; the first ones are strong,
    /// and at least one of them is needed.
    static let weights: [(signal: GuardSignal, weight: Double, isStrong: Bool)] = [
        (.disarming, 0.5, true), (.destruction, 0.6, true), (.refusal, 0.5, true), (.promotion, 0.5, true),
        (.redirection, 0.5, true), (.exfiltration, 0.4, true),
        (.authority, 0.3, false),
    ]

    /// The matcher of all patterns, compiled at its first use and shared by all threads.
    static let matcher = PhraseMatcher(
        classes: classes, openers: GuardRules.openers, verbs: GuardRules.classes["act"]!, patterns: patterns)

    /// Words that name a check: who asks for one implies that it is done.
    static let checks = Set(classes["check"]!.split(separator: " ").map(String.init))

    /// Words by which a text denies what is said elsewhere.
    static let denials: Set<String> = [
        "not", "isnt", "wasnt", "arent", "never", "rather", "instead", "contrary", "unlike", "mistakenly", "wrongly",
        "misconception", "incorrect", "incorrectly", "false", "falsely",
    ]

    /// Words by which a text says that others are wrong, rather than that something changed.
    static let rebuttals: Set<String> = [
        "contrary", "misconception", "misconceptions", "mistakenly", "wrongly", "incorrectly", "falsely",
        "surprisingly", "unlike",
    ]

    /// Words by which a text tells of a world that is not this one, or of an error.
    static let otherWorlds: Set<String> = [
        "mistaken", "misunderstood", "myth", "fictional", "fictitious", "alternate", "parallel", "hypothetical",
        "imaginary",
    ]

    /// First words of questions that are answered by yes or no.
    static let yesNoOpeners: Set<String> = [
        "is", "are", "was", "were", "do", "does", "did", "can", "could", "has", "have", "had", "will", "would",
        "should",
    ]
    /// Words that deny; words that answer such a question outright.
    static let noes: Set<String> = [
        "no", "not", "neither", "nor", "never", "false", "isnt", "arent", "wasnt", "werent", "doesnt", "dont", "didnt",
        "cannot", "cant",
    ]
    static let outright: Set<String> = ["yes", "no", "true", "false"]

    /// Words of the first person: a text that holds one tells of its writer.
    static let ownWords: Set<String> = [
        "i", "im", "ive", "id", "ill", "my", "me", "mine", "we", "weve", "our", "us", "ours", "i'm", "i've", "we're",
    ]
}
