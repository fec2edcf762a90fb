/// The words that rules for claims look for, in one place. All are lower case and English.
enum ClaimWords {
    /// The extent of a value.
    enum Value {
        /// As far as words begin with a capital letter.
        case name
        /// To the end of the clause.
        case anything
    }
    /// Verbs and what they claim of their subject: the attribute, how far its value goes, and
    /// whether the verb itself denies ("quit", "moved away from").
    static let verbs: [(words: [String], attribute: String, value: Value, isDenied: Bool)] =
        [
            (["lives", "in"], "home", .name, false), (["live", "in"], "home", .name, false),
            (["living", "in"], "home", .name, false),
            (["moved", "to"], "home", .name, false), (["relocated", "to"], "home", .name, false),
            (["based", "in"], "home", .name, false),
            (["moved", "back", "to"], "home", .name, false),
            (["moved", "over", "to"], "home", .name, false),
            (["moving", "to"], "home", .name, false),
            (["moving", "back", "to"], "home", .name, false),
            (["moved", "back", "in"], "home", .name, false),
            (["moved", "out", "to"], "home", .name, false),
            (["settled", "in"], "home", .name, false),
            (["moved", "away", "from"], "home", .name, true),
            (["moved", "out", "of"], "home", .name, true),
            (["works", "at"], "employer", .name, false),
            (["works", "for"], "employer", .name, false),
            (["work", "at"], "employer", .name, false),
            (["work", "for"], "employer", .name, false),
            (["working", "at"], "employer", .name, false),
            (["working", "for"], "employer", .name, false),
            (["hired", "by"], "employer", .name, false),
            (["got", "a", "job", "at"], "employer", .name, false),
            (["got", "a", "new", "job", "at"], "employer", .name, false),
            (["started", "a", "new", "job", "at"], "employer", .name, false),
            (["employed", "at"], "employer", .name, false),
            (["employed", "by"], "employer", .name, false),
            (["quit"], "employer", .name, true), (["left"], "employer", .name, true),
            (["works", "as"], "job", .anything, false), (["work", "as"], "job", .anything, false),
            (["working", "as"], "job", .anything, false),
            (["married", "to"], "spouse", .name, false), (["drives"], "car", .anything, false),
        ]
    /// ``verbs`` by their first word: most words of a text begin none.
    static let verbsByFirst = Dictionary(grouping: verbs) { $0.words[0] }
    /// "Joined" alone may be a club, an app or a call: what the role says decides.
    static let joins = ["joined"]
    /// Roles that are not an employment: "joined Acme as a guest".
    static let temporaryRoles: Set<String> = [
        "guest", "host", "listener", "viewer", "member", "participant", "observer", "volunteer",
        "player", "beginner",
        "spectator",
        "moderator", "friend", "fan", "student", "subscriber", "user", "customer",
    ]
    /// Verbs that give what has a time another one, when a time follows: "was moved to Thursday".
    static let shifts: Set<String> = [
        "moved", "rescheduled", "postponed", "pushed", "shifted", "changed", "delayed", "deferred",
        "brought", "put",
        "bumped",
    ]
    /// Words between such a verb and the time: "pushed back to Friday".
    static let shiftAdverbs: Set<String> = ["back", "forward", "off", "up", "out"]
    /// Words of the passive and the perfect, which stand between a thing and what became of it.
    static let auxiliaries: Set<String> = [
        "was", "is", "has", "have", "been", "got", "gets", "being", "were", "had",
    ]
    /// Verbs of liking; the object becomes the attribute: "opinion of coffee".
    static let likingVerbs: Set<String> = [
        "likes", "like", "loves", "love", "enjoys", "enjoy", "prefers", "prefer", "adores", "adore",
    ]
    /// Verbs of disliking.
    static let dislikingVerbs: Set<String> = ["hates", "hate", "dislikes", "dislike"]
    /// Forms that go with "I".
    static let bases: Set<String> = [
        "live", "work", "like", "love", "enjoy", "prefer", "adore", "hate", "dislike",
    ]
    /// Diets, which "is" gives to somebody, and states of marriage, only at a clause's end: "is
    /// single" is one, "is single-minded" is none.
    static let diets: Set<String> = ["vegan", "vegetarian", "pescatarian"],
        statuses: Set<String> = ["single", "divorced", "engaged", "widowed", "married"]
    /// Attributes of which somebody or something has one.
    static let attributes: Set<String> = [
        "name", "birthday", "age", "address", "phone", "number", "mobile", "email", "hometown",
        "job", "title", "boss",
        "manager", "doctor", "dentist",
        "password",
        "code", "pin", "budget", "salary", "deadline", "status", "timezone", "nationality", "diet",
        "size", "weight",
        "height", "car", "price", "location",
        "version", "color", "capital", "ceo", "owner", "date", "rent", "employer", "nickname",
        "therapist", "landlord",
        "username", "host", "port", "branch",
        "leader",
    ]
    /// Words that say that it is the one of now; what it is of is the same.
    static let latest: Set<String> = [
        "new", "current", "latest", "updated", "present", "actual", "own", "correct",
    ]
    /// Words without one of which a text is not looked at: most texts claim nothing.
    static let triggers: Set<String> = Set(verbs.map { $0.words[0] }).union(joins).union(
        shifts
    ).union(likingVerbs)
        .union(dislikingVerbs).union([
            "is", "im", "became", "turned", "stand",
        ])
        .union(diets)
    /// Words between a subject and its verb that change nothing.
    static let adverbs: Set<String> = [
        "now", "currently", "just", "recently", "has", "have", "is", "am", "are", "still", "also",
        "finally",
        "actually", "really",
    ]
    /// "I" and its verb in one word, and which verb that is.
    static let contractions: [String: String] = ["i'm": "am", "i've": "have"]
    /// Words before a verb that name nobody in particular.
    static let indefinitePronouns: Set<String> = [
        "he", "she", "they", "it", "we", "you", "who", "what", "which", "that", "this", "these",
        "those", "there",
        "someone", "everyone", "nobody", "people",
        "and",
        "but", "so", "because", "if", "then", "when", "where", "how", "hey", "yes", "no", "well",
        "oh", "also", "one",
        "everybody", "somebody",
    ]
    /// Words at which what is said of something ends.
    static let ends: Set<String> = [
        "with", "since", "because", "last", "this", "next", "for", "after", "when", "where", "who",
        "which", "that",
        "from", "until", "and", "but", "so", "as",
        "now",
        "today", "yesterday", "tomorrow", "currently", "again", "anymore", "any", "instead",
        "while", "before", "these",
        "too", "right", "these", "two",
        "three", "a",
    ]
    /// Articles, which are left out of values; before a name's value they say that it is no name.
    static let articles: Set<String> = ["a", "an", "the"]
    /// Objects of which nothing can be remembered: "likes it".
    static let emptyObjects: Set<String> = [
        "it", "that", "this", "you", "him", "her", "them", "how", "when", "what", "me", "us", "one",
        "to",
    ]
    /// Prepositions of a place where a thing lies.
    static let locationPrepositions: Set<String> = [
        "in", "on", "under", "at", "behind", "inside", "near", "beside", "above", "below",
    ]
    /// Words that name a time, with which a value of a place ends.
    static let times: Set<String> = Set(
        [
            "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "noon",
            "midnight",
        ]
            + UTCCalendar.monthNames)
}
