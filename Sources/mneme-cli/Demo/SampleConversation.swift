import Foundation

/// The conversation of `mneme demo`, written for it: two friends, eight months, and facts that
/// change.
///
/// It is part of the program, so that a first look needs no file and no network.
enum SampleConversation {
    /// Questions of the demo: facts that changed, dates, names and plans.
    static let questions = [
        "Where does Nora live now?",
        "Where did Nora live before Berlin?",
        "What is Nora allergic to?",
        "When did Tomás adopt his dog?",
        "What instrument does Tomás play now?",
        "Which job did Nora take after the museum?",
        "How many people came to the housewarming?",
        "What happened to the blue bicycle?",
        "What did they plan for the summer?",
        "Who is getting married in September?",
    ]

    /// Session, time of its first message, and messages as "speaker: text".
    private static let sessions: [(name: String, time: String, messages: String)] = [
        (
            "january", "2026-01-09T18:40:00Z",
            """
            Nora: Happy new year, Tomás! How was the trip home to Porto?
            Tomás: Wet, but good. My grandmother turned 90 and danced longer than all of us. And you, still in that flat in Lyon?
            Nora: Still in Lyon, yes. Third floor, no lift, and the heating sings at night. I love the view of the Saône though.
            Tomás: And work? Are you still restoring paintings at the museum?
            Nora: Yes, three years now. At the moment it is a Flemish still life with a lobster. The varnish is a nightmare.
            Tomás: I would pay to see that. By the way, I started cello lessons last week. At thirty-four!
            Nora: The cello! Your neighbours must be thrilled.
            Tomás: They have been very polite so far. My teacher is called Madame Okafor, she is strict but funny.
            """
        ),
        (
            "february", "2026-02-14T12:05:00Z",
            """
            Tomás: Guess who has a dog. I adopted her from the shelter yesterday. Her name is Pimenta.
            Nora: Pimenta! Like pepper? What kind of dog is she?
            Tomás: Half beagle, half mystery. Two years old, afraid of umbrellas, in love with my left shoe.
            Nora: I am coming to meet her. But you know I am allergic to cats, not dogs, so we are safe.
            Tomás: I had forgotten. It was the cat at Julien's party that made you cry for three hours, right?
            Nora: That one. And peanuts, but you remember the ambulance, I suppose.
            Tomás: How could I forget. No peanuts in this house, ever.
            Nora: My blue bicycle was stolen on Thursday, in front of the bakery. Lock and all.
            Tomás: No! The one your father painted?
            Nora: That one. I cried a little. The police gave me a form and a shrug.
            """
        ),
        (
            "march", "2026-03-21T20:15:00Z",
            """
            Nora: I have news. A conservation studio in Berlin has offered me a job.
            Tomás: Berlin! What would you do there?
            Nora: Lead the paper department: drawings, maps, letters. More money, and no more lobsters.
            Tomás: And the museum? Have you told them?
            Nora: I told them on Monday. My last day is the 30th of April.
            Tomás: I am happy for you and a little sad for me. Who will drag me to exhibitions?
            Nora: You will take the night train. It is eleven hours, you can practise the cello.
            Tomás: They would throw me off at Strasbourg. When do you move?
            Nora: In the first week of May. I found a flat in Neukölln, ground floor, with a tiny garden.
            """
        ),
        (
            "april", "2026-04-12T09:30:00Z",
            """
            Tomás: My sister Inês is getting married in September! To Rui, finally.
            Nora: After nine years! Where will the wedding be?
            Tomás: On an olive farm near Évora. You are invited of course, and you must not wear white.
            Nora: I will wear green. What do they want as a present?
            Tomás: They are saving for a kitchen. But something made by your hands would make her cry.
            Nora: I could bind their letters into a book. Ask her if she kept them.
            Tomás: That is a wonderful idea. She keeps everything. She still has the ticket of their first film, Paterson.
            """
        ),
        (
            "may", "2026-05-10T17:50:00Z",
            """
            Nora: Greetings from Berlin! I have been here for six days and I already own four plants.
            Tomás: Only four? How is the flat?
            Nora: Small and bright. The garden has a cherry tree and a very confident fox.
            Tomás: Pimenta would love to meet the fox. How was your first week at the studio?
            Nora: Lovely and exhausting. My boss, Frau Lindqvist, speaks very fast. We are saving a box of letters from 1911.
            Tomás: And how is your German?
            Nora: I take an evening class on Tuesdays and Thursdays. I can order soup and complain about trains.
            Tomás: Then you are practically a citizen.
            """
        ),
        (
            "may-party", "2026-05-31T22:10:00Z",
            """
            Tomás: Your housewarming was wonderful. How many of us were there in the end?
            Nora: Seventeen people and two dogs, in forty square metres. The neighbours came down and brought a cake.
            Tomás: Pimenta still smells of barbecue. And she did make friends with the fox, I have the photo.
            Nora: Send it to me! It must be the first diplomatic contact.
            Tomás: What should we do this summer? You said something about the sea.
            Nora: Let us walk the Rota Vicentina in August, from Sines down to the cape. Ten days, along the cliffs.
            Tomás: Done. I will carry the tent if you carry the coffee.
            """
        ),
        (
            "july", "2026-07-05T19:00:00Z",
            """
            Nora: You will not believe it. The police in Lyon found my blue bicycle!
            Tomás: After five months? Where was it?
            Nora: In a cellar in Villeurbanne, with forty others. The bell is gone, the paint is fine. My father is collecting it.
            Tomás: Your father must be over the moon.
            Nora: He is already planning to paint it again. Red this time, he says.
            Tomás: I have a confession. I stopped the cello. My shoulder hurt for weeks and the doctor said enough.
            Nora: Oh no. Are you very sad?
            Tomás: I was, for a week. Then Madame Okafor gave me a mandolin. I play it every day now.
            Nora: A mandolin suits you much better, honestly.
            """
        ),
        (
            "august", "2026-08-24T21:20:00Z",
            """
            Tomás: My feet have forgiven me. That was the best holiday of my life.
            Nora: The storks on the cliffs! And that grilled fish in Zambujeira do Mar.
            Tomás: And you, swimming every morning at six. I watched from inside the tent, with great respect.
            Nora: I have decided something on the walk. I will stay in Berlin. They offered me a permanent contract on Friday.
            Tomás: Permanent! Congratulations! Does Frau Lindqvist still speak too fast?
            Nora: I understand almost all of it now. I passed the B1 exam in July.
            Tomás: See you at the wedding, then. Inês found the letters, all 212 of them.
            Nora: I bind the book next week. Green leather, to match my dress.
            """
        ),
    ]

    /// One JSON line a message.
    static var jsonLines: String {
        sessions.flatMap { session in
            session.messages.split(separator: "\n").enumerated().map { i, line in
                let cut = line.firstIndex(of: ":")!
                let minute = String(
                    format: "%02d", (Int(session.time.dropFirst(14).prefix(2))! + i) % 60)
                let hour = String(
                    format: "%02d",
                    Int(session.time.dropFirst(11).prefix(2))!
                        + (Int(session.time.dropFirst(14).prefix(2))! + i) / 60)
                let time = "\(session.time.prefix(11))\(hour):\(minute):00Z"
                let text = line[line.index(cut, offsetBy: 2)...].replacingOccurrences(
                    of: "\"", with: "\\\"")
                return
                    #"{"id":"\#(session.name)-\#(i + 1)","session":"\#(session.name)","name":"\#(line[..<cut])","time":"\#(time)","content":"\#(text)"}"#
            }
        }.joined(separator: "\n")
    }
}
