/// The prompts of ``DraftBenchmark``: chats whose answers quote the memories in their prompt, and
/// chats that quote nothing. Made for it; nothing was fitted to them.
enum DraftPrompts {
    /// Memories as a recall would give them, five owners'.
    private static let notes = [
        [
            "Ana's landlord is Mr. Petrov, phone 0171 5540 213; the boiler was last serviced on 3 March 2026.",
            "The spare key of the flat in Linden Street 14 hangs behind the second shelf of the cellar.",
            "Ana pays 1,180 euros of rent on the first of each month from the account at the savings bank.",
            "The internet contract with Nordnet ends on 31 October 2026 and must be cancelled two months before.",
        ],
        [
            "The orders service writes to PostgreSQL 16 and publishes to the topic orders.v2 in Kafka.",
            "Deployments go through the release branch; Tomas approves them between 9:00 and 16:00 on weekdays.",
            "The nightly export failed on 12 May because the bucket acme-exports-eu had no lifecycle rule.",
            "The on-call phone is passed on every Monday at ten; the runbook lies in docs/runbook-orders.md.",
        ],
        [
            "Grandmother's bread: 500 grams of rye flour, 350 grams of water, 12 grams of salt, sourdough overnight.",
            "Bake it at 240 degrees for fifteen minutes with steam, then at 200 degrees for forty more.",
            "Leo is allergic to hazelnuts and walnuts; almonds are fine for him.",
            "The good knives go to the grinder on Market Square, who is there every second Thursday.",
        ],
        [
            "Flight LX 318 leaves Zurich at 17:05 on 9 June and lands in London Heathrow at 17:55.",
            "The hotel is the Marlowe in Bloomsbury; the booking number is QK7-55102 and breakfast is included.",
            "The talk is in room 2.14 of the Institute of Physics on 10 June at 14:30 and takes forty minutes.",
            "Dinner with Priya and Hamid is at eight in the restaurant by the canal, table under the name Weber.",
        ],
        [
            "Dr. Okafor prescribed 20 milligrams of omeprazole, one before breakfast, until the end of July.",
            "The blood test of 4 April showed ferritin of 18 and vitamin D of 22; both are to be checked in autumn.",
            "Physiotherapy is on Tuesdays at 11:15 with Ms. Lindqvist in the house next to the pharmacy.",
            "The insurance number is 756.1234.5678.97 and the deductible for this year is already used up.",
        ],
    ]
    private static let questions = [
        "Repeat my notes word for word.",
        "Write down my second note exactly as it stands, then the third.",
        "List every note, each on its own line, without changing a word.",
        "Quote the last two notes in full.",
    ]

    /// Twenty chats: a system message with memories, and a question that wants them quoted.
    static let quoting: [[(role: String, text: String)]] = notes.flatMap { notes in
        questions.map { question in
            [
                ("system", "What you remember of the user:\n" + notes.map { "- " + $0 }.joined(separator: "\n")),
                ("user", question),
            ]
        }
    }

    /// Twenty questions whose answers stand nowhere.
    static let free: [[(role: String, text: String)]] = [
        "Tell a short story about a lighthouse keeper who cannot swim.",
        "Explain how a bicycle stays upright.", "Why do leaves change their colour in autumn?",
        "Describe a market in the morning.", "What should somebody know before keeping bees?",
        "Write a letter to a friend who moved abroad.", "How does a refrigerator work?",
        "Give advice to a person who learns the piano late in life.",
        "Describe the taste of an orange to somebody who never had one.",
        "What makes a good teacher?", "How were castles heated in the Middle Ages?",
        "Tell a story about two brothers and a boat.", "Why is the sea salty?",
        "Explain to a child what money is.", "Describe a train journey through the mountains.",
        "What can be done against noise in a city?", "How is paper made?",
        "Write about a day on which the clocks stopped.", "Why do people collect things?",
        "Explain how vaccines work.",
    ].map { [("user", $0)] }
}
