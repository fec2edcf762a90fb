/// What is asked of ``AskSample``, and what a reader of it answers. Written before the rules were; of each three the
/// third was kept aside while they were written.
enum AskQuestions {
    /// The right answer.
    enum Wanted: Sendable {
        /// A number, in the unit that the question names or its memories use.
        case number(Double)
        /// These, in any order, and no others.
        case all([String])
        /// These, in this order, and no others.
        case ordered([String])
        /// A day.
        case day(String)
        /// Yes or no.
        case truth(Bool)
        /// The memories do not say it, so that whatever is answered must be called a guess.
        case unsure
    }

    /// Questions by kind of memory.
    static let table: [(String, Wanted)] = [
        // Runs
        ("How many times did Nora run?", .number(6)),
        ("How many runs did Tomás do?", .number(2)),
        ("How often did Nora go running in January?", .number(2)),
        ("How many kilometres did Nora run in total?", .number(57)),
        ("How many km did Nora run in February?", .number(8)),
        ("What was the total distance that Tomás ran?", .number(7.5)),
        ("What was Nora's longest run?", .number(21)),
        ("What was Nora's shortest run?", .number(5)),
        ("How long was Tomás's longest run?", .number(4.5)),
        ("When was Nora's longest run?", .day("2026-03-15")),
        ("When did Nora run for the first time?", .day("2026-01-11")),
        ("When did Tomás last run?", .day("2026-05-24")),
        ("What was Nora's average run?", .number(9.5)),
        ("How far did Nora run on average?", .number(9.5)),
        ("What is the average distance of Tomás's runs?", .number(3.75)),
        ("Who ran more often, Nora or Tomás?", .all(["nora"])),
        ("Who ran the most kilometres?", .all(["nora"])),
        ("Who ran less, Nora or Tomás?", .all(["tomás"])),
        ("What were Nora's three longest runs?", .ordered(["21", "10", "8"])),
        ("Top 2 longest runs of Nora?", .ordered(["21", "10"])),
        ("List Nora's two shortest runs.", .ordered(["5", "6"])),
        ("In which month did Nora run most often?", .all(["january"])),
        ("How many runs of Nora were longer than 7 km?", .number(3)),
        ("How many times did Nora run at least 8 km?", .number(3)),
        ("How many times did Nora run after March?", .number(2)),
        ("How many times did Tomás run before April?", .number(1)),
        ("Did Nora run more than 50 km in total?", .truth(true)),
        // Purchases
        ("How much did Nora spend in total?", .number(633)),
        ("How much money did Tomás spend?", .number(705)),
        ("How much did Nora spend in May?", .number(93)),
        ("How much did Nora spend on books?", .number(86)),
        ("How many books did Nora buy?", .number(3)),
        ("How many plants did Nora buy?", .number(4)),
        ("What was the most expensive thing Nora bought?", .all(["bicycle"])),
        ("What was the cheapest thing that Tomás bought?", .all(["leash"])),
        ("What is the most expensive thing that Tomás bought?", .all(["tent"])),
        ("What did Nora buy first?", .all(["winter coat"])),
        ("What did Nora buy last?", .all(["book about japanese paper"])),
        ("What was the last thing that Tomás bought?", .all(["mandolin strings"])),
        ("What was the first thing Tomás bought?", .all(["cello bow"])),
        ("When did Nora buy the suitcase?", .day("2026-04-18")),
        ("When did Tomás buy a tent?", .day("2026-03-28")),
        (
            "List everything that Nora bought in May.",
            .all(["plants", "lamp"])
        ),
        (
            "List everything that Tomás bought.",
            .all(["cello bow", "leash", "tent", "hiking boots", "mandolin strings"])
        ),
        ("What are the three most expensive things Nora bought?", .ordered(["bicycle", "coat", "suitcase"])),
        ("What were the two most expensive things Tomás bought?", .ordered(["tent", "cello bow"])),
        ("Who spent more, Nora or Tomás?", .all(["tomás"])),
        ("Who spent the least?", .all(["nora"])),
        ("What is the average price of what Nora bought?", .number(79.125)),
        ("How much did Tomás spend on average?", .number(141)),
        ("How many things did Tomás buy for more than 100 euros?", .number(3)),
        ("How many purchases did Nora make in March?", .number(1)),
        ("How much did the helmet cost?", .number(45)),
        ("Did Nora buy the lamp before the suitcase?", .truth(false)),
        ("Which did Tomás buy first, the tent or the hiking boots?", .all(["tent"])),
        (
            "In what order did Nora buy the lamp, the helmet and the suitcase?",
            .ordered(["helmet", "suitcase", "lamp"])
        ),
        ("Did Tomás buy a drone?", .unsure),
        ("How many cars did Nora buy?", .number(0)),
        // Books and films
        ("How many books did Nora read?", .number(4)),
        ("How many books has Tomás finished?", .number(3)),
        ("How many books did Nora finish in 2026?", .number(4)),
        ("Which books did Nora read?", .all(["leopard", "austerlitz", "summer book", "stoner"])),
        ("List all the books that Tomás read.", .all(["dune", "blindness", "old man and the sea"])),
        ("What was the first book that Nora read?", .all(["leopard"])),
        ("What was the last book Tomás read?", .all(["old man and the sea"])),
        ("What is the latest book that Nora finished?", .all(["stoner"])),
        ("Who read more books, Nora or Tomás?", .all(["nora"])),
        ("When did Nora finish Stoner?", .day("2026-06-28")),
        (
            "In what order did Nora read Stoner, Austerlitz and The Leopard?",
            .ordered(["leopard", "austerlitz", "stoner"])
        ),
        ("Did Tomás read Dune before Blindness?", .truth(true)),
        ("Which did Nora read first, Stoner or Austerlitz?", .all(["austerlitz"])),
        ("How many books did Nora read between February and May?", .number(2)),
        ("How many films did Nora see?", .number(2)),
        ("Which film did Nora see last?", .all(["paterson"])),
        ("What was the first film that Nora saw?", .all(["perfect days"])),
        ("How many people read Middlemarch?", .unsure),
        ("How many pages did Nora read?", .unsure),
        ("How many concerts did Nora go to?", .number(2)),
        ("When was Nora's last concert?", .day("2026-07-31")),
        ("Who went to more concerts, Nora or Tomás?", .all(["nora"])),
        // Trips
        ("How many trips did Nora make?", .number(6)),
        ("How many times did Tomás go to Porto?", .number(3)),
        ("How often did Nora travel to Vienna?", .number(2)),
        ("Which city did Nora visit most often?", .all(["vienna"])),
        ("Which city did Tomás visit the most?", .all(["porto"])),
        ("Which cities did Nora visit?", .all(["geneva", "vienna", "potsdam", "lisbon", "dresden"])),
        ("List all the cities Tomás travelled to.", .all(["porto", "paris", "berlin"])),
        ("How many different cities did Nora visit?", .number(5)),
        ("How many cities did Tomás visit?", .number(3)),
        ("What was Nora's first trip?", .all(["geneva"])),
        ("What was the last trip of Nora?", .all(["vienna"])),
        ("When did Nora first go to Vienna?", .day("2026-04-06")),
        ("When was Tomás in Porto for the last time?", .day("2026-07-15")),
        ("When did Tomás fly to Berlin?", .day("2026-05-29")),
        ("Did Nora visit Potsdam before Dresden?", .truth(true)),
        ("Did Tomás go to Berlin before Paris?", .truth(false)),
        (
            "In what order did Nora visit Dresden, Geneva and Lisbon?",
            .ordered(["geneva", "lisbon", "dresden"])
        ),
        ("How many flights did Nora take?", .number(3)),
        ("How many times did Nora fly?", .number(3)),
        ("Who travelled more often, Nora or Tomás?", .all(["nora"])),
        ("Where did Tomás travel in March?", .all(["paris"])),
        ("How many trips did Nora make in June?", .number(2)),
        ("How many countries did Nora visit?", .unsure),
        // Meetings and the rest
        ("How many times did Nora meet Julien?", .number(3)),
        ("How many meetings did Nora have?", .number(3)),
        ("Who did Nora meet most often?", .all(["julien"])),
        ("Who did Tomás meet the most?", .all(["rui"])),
        ("How many people did Tomás meet?", .number(3)),
        ("How many meetings did Nora have with Frau Lindqvist?", .number(2)),
        ("When did Nora last meet Julien?", .day("2026-04-29")),
        ("When did Nora first meet Camille?", .day("2026-03-17")),
        ("When did Tomás meet Madame Okafor?", .day("2026-07-22")),
        ("Who did Tomás meet first?", .all(["rui"])),
        ("How many hours did Nora work in total?", .number(28)),
        ("What was Nora's longest working day?", .day("2026-06-16")),
        ("How many minutes did Tomás practise the mandolin?", .number(135)),
        ("How many metres did Nora swim in total?", .number(3000)),
        ("What was Nora's longest swim?", .number(1.2)),
        ("How many times did Nora swim in August?", .number(3)),
        ("How many hours did Tomás sleep?", .unsure),
        ("What is Nora allergic to?", .unsure),
        ("How many dogs does Tomás have?", .unsure),
        ("What is the meaning of life?", .unsure),
    ]

    /// Those that were looked at while the rules were written.
    static let open = table.enumerated().filter { $0.offset % 3 != 2 }.map(\.element)
    /// Those that were kept aside.
    static let aside = table.enumerated().filter { $0.offset % 3 == 2 }.map(\.element)
}
