/// English words that say the same in a question, and turns of phrase for one word.
///
/// The tables are short on purpose: a pair that is missing costs a hit, one that is wrong gives a
/// wrong answer. Words with several senses ("light", "right") are left out.
enum Synonyms {
    /// Words that mean the same, a group a line; a word stands for its group's first one. Inflected
    /// forms need no place: words are compared by their stems.
    private static let groups = """
        fix repair mend
        big large
        small little
        begin start commence
        finish end complete
        buy purchase
        make create build
        show display
        delete remove erase
        pick choose select
        car automobile
        doctor physician
        movie film
        photo photograph picture
        phone telephone
        cellphone smartphone mobile
        couch sofa
        lawyer attorney
        trash garbage rubbish
        gasoline petrol
        vacation holiday
        apartment flat
        autumn fall
        soccer football
        refrigerator fridge
        airplane aeroplane plane
        bicycle bike
        television tv
        difference distinction
        difference differ
        benefit advantage
        drawback disadvantage downside
        cause reason
        cost price
        creator maker
        founder establish founded
        inventor invent
        author write
        painter paint
        composer compose
        discoverer discover
        director direct
        happen occur
        fast quick rapid
        speed velocity
        error mistake
        bug defect
        quit exit
        answer reply
        ill sick
        smart clever intelligent
        rich wealthy
        salary wage
        job employment
        boss supervisor
        firm company business corporation
        town city
        nation country
        currency money
        population inhabitant resident
        child kid
        definition mean meaning define
        signify stand
        abbreviation acronym
        dictionary dict
        directory folder
        parameter argument
        kilometer kilometre km
        meter metre
        centimeter centimetre cm
        kilogram kilo kg
        liter litre
        pound lb
        usa america us_
        uk britain
        color colour
        favorite favourite
        center centre
        theater theatre
        analyze analyse
        organize organise
        gray grey
        way method manner
        advice tip
        symptom sign
        clean wash
        grow cultivate
        learn study
        teach instruct
        improve enhance
        reduce lower decrease
        increase raise
        prevent avoid
        change modify alter
        install setup
        connect link
        merge combine join
        split divide separate
        sort order
        search find locate lookup
        reverse invert
        copy duplicate
        rename retitle
        send transmit
        password passcode
        login signin
        website site
        laptop notebook
        dog hound
        cat feline
        usually normally typically
        weigh weight
        """

    /// Turns of phrase and the words that they are compared as, the longer ones first. They are
    /// looked for in lower-case words with single spaces.
    static let phrases: [(from: String, to: String)] = [
        ("how many people live in", "what is the population of"),
        ("how many people are there in", "what is the population of"),
        ("how many inhabitants does", "what is the population of"),
        ("in what year", "when"), ("in which year", "when"), ("what year", "when"),
        ("which year", "when"), ("on what date", "when"), ("on which date", "when"),
        ("what date", "when"), ("at what time", "when"), ("what time", "when"),
        ("in what place", "where"), ("in which place", "where"),
        ("what is the reason", "why"), ("what are the reasons", "why"), ("what causes", "why"),
        ("for what reason", "why"), ("how come", "why"), ("why is it that", "why"),
        ("what is the best way to", "how to"), ("what is the way to", "how to"),
        ("what is a good way to", "how to"), ("what is the easiest way to", "how to"),
        ("best way to", "how to"), ("what are the steps to", "how to"),
        ("what steps do i take to", "how to"), ("is there a way to", "how to"),
        ("is it possible to", "can i"), ("am i able to", "can i"), ("can one", "can i"),
        ("am i allowed to", "may i"), ("what is the number of", "how many"),
        ("how tall", "what height"), ("how high", "what height"), ("how old", "what age"),
        ("how far", "what distance"), ("how deep", "what depth"), ("how wide", "what width"),
        ("how heavy", "what weight"), ("how fast", "what speed"), ("how big", "what size"),
        ("how large", "what size"), ("how hot", "what temperature"), ("how expensive", "what cost"),
        ("how much does", "what cost"), ("how much do", "what cost"),
        ("how much is the", "what cost the"), ("how much is a", "what cost a"),
        ("how much is", "what is"), ("what do i have to do to", "how to"),
        ("what must i do to", "how to"), ("what should i do to", "how to"),
        ("weather like", "weather"), ("how is the weather", "what is the weather"),
        ("which city is", "what is"), ("what city is", "what is"), ("which country is", "what is"),
        ("which writer", "who"), ("which author", "who"), ("which team", "who"),
        ("which scientist", "who"), ("per day", "a day"), ("per week", "a week"),
        ("per month", "a month"), ("per year", "a year"), ("per hour", "an hour"),
        ("what person", "who"), ("which person", "who"), ("stands for", "means"),
        ("stand for", "mean"), ("short for", "mean"), ("log in", "login"), ("sign in", "login"),
        ("set up", "setup"), ("get rid of", "remove"), ("look for", "find"), ("look up", "find"),
        ("take place", "happen"), ("took place", "happen"), ("come up with", "create"),
        ("united states of america", "usa"), ("united states", "usa"), ("united kingdom", "uk"),
        ("great britain", "uk"), ("new york city", "nyc"), ("second world war", "wwii"),
        ("world war two", "wwii"), ("world war ii", "wwii"), ("world war 2", "wwii"),
        ("first world war", "wwi"), ("world war one", "wwi"), ("world war i", "wwi"),
        ("world war 1", "wwi"), ("ww2", "wwii"), ("ww1", "wwi"),
    ]

    /// Opposites. Two questions that differ by one are never the same.
    private static let opposites = """
        buy sell;increase decrease;raise lower;start stop;begin end;open close;enable disable
        encrypt decrypt;compress decompress;encode decode;import export;upload download;push pull
        minimum maximum;min max;largest smallest;biggest smallest;highest lowest;longest shortest
        oldest youngest;best worst;first last;before after;earliest latest;north south;east west
        left right;up down;hot cold;safe dangerous;legal illegal;allow forbid;add remove
        connect disconnect;install uninstall;lock unlock;win lose;male female;mother father
        son daughter;brother sister;husband wife;king queen;true false;more less;most fewest
        inside outside;above below;ascending descending;advantage disadvantage;benefit drawback
        pro con;cause effect;import export;lend borrow;deposit withdraw;gain lose;attack defend
        """

    /// The first word of a stem's group; the stem itself if it has none.
    static let leader: [String: String] = {
        var leaders: [String: String] = [:]
        for line in groups.split(separator: "\n") {
            let stems = line.split(separator: " ").map { Stem.of(String($0)) }
            // Groups that share a word are one.
            let first = stems.lazy.compactMap { leaders[$0] }.first ?? stems[0]
            for stem in stems where leaders[stem] == nil { leaders[stem] = first }
        }
        return leaders
    }()

    /// Pairs of opposite stems, both ways.
    static let opposite: [String: Set<String>] = {
        var pairs: [String: Set<String>] = [:]
        for pair in opposites.split(whereSeparator: { $0 == ";" || $0 == "\n" }) {
            let words = pair.split(separator: " ").map { Stem.of(String($0)) }
            guard words.count == 2 else { continue }
            pairs[words[0], default: []].insert(words[1])
            pairs[words[1], default: []].insert(words[0])
        }
        return pairs
    }()
}
