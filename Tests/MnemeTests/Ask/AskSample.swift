/// What two friends tell each other in eight months, in the manner of the demo's conversation: runs, purchases,
/// books, trips, meetings, and among them sentences that only look like those.
enum AskSample {
    /// A memory a line: day, speaker, text.
    static let lines = """
        2026-01-05 Tomás: I flew to Porto for my grandmother's birthday.
        2026-01-09 Nora: Happy new year, Tomás! How was the trip home to Porto?
        2026-01-11 Nora: I ran 5 km along the Saône this morning.
        2026-01-14 Nora: I met Julien for coffee.
        2026-01-16 Nora: I bought a winter coat for 140 euros.
        2026-01-20 Tomás: I bought a cello bow for 210 euros.
        2026-01-25 Nora: I went for a run yesterday, 6 km in the rain.
        2026-01-30 Nora: I finished reading The Leopard.
        2026-02-01 Nora: I went to Geneva for the weekend.
        2026-02-02 Tomás: I finished Dune.
        2026-02-08 Nora: I ran 8 kilometres today, my legs are jelly.
        2026-02-11 Nora: I met Julien at the bakery.
        2026-02-13 Tomás: Guess who has a dog. I adopted her from the shelter yesterday. Her name is Pimenta.
        2026-02-14 Nora: My blue bicycle was stolen on Thursday, in front of the bakery. Lock and all.
        2026-02-15 Tomás: I bought a leash and a bowl for 35 euros.
        2026-02-18 Tomás: I met Rui for a beer.
        2026-02-20 Nora: I bought a new helmet for 45 euros.
        2026-02-22 Tomás: I ran 3 km with Pimenta before breakfast.
        2026-02-27 Nora: I saw the film Perfect Days at the cinema.
        2026-03-02 Nora: I bought two books for 32 euros.
        2026-03-08 Nora: I finished Austerlitz last night.
        2026-03-14 Tomás: I took the train to Paris.
        2026-03-15 Nora: I ran the half marathon in Lyon, 21 km!
        2026-03-17 Nora: I met Camille for lunch.
        2026-03-21 Nora: A conservation studio in Berlin has offered me a job.
        2026-03-28 Tomás: I bought a tent for 230 euros.
        2026-03-30 Tomás: I never finished Ulysses.
        2026-04-06 Nora: I flew to Vienna for a conference.
        2026-04-10 Tomás: I watched Paterson with Inês.
        2026-04-18 Nora: I bought a suitcase for 89 euros.
        2026-04-22 Tomás: I met Inês and Rui to plan the wedding.
        2026-04-26 Nora: I read The Summer Book in one day.
        2026-04-29 Nora: I met Julien to say goodbye.
        2026-05-03 Tomás: I finished reading Blindness.
        2026-05-04 Nora: I moved to Berlin.
        2026-05-09 Nora: I bought four plants at the market for 28 euros.
        2026-05-12 Nora: I worked 9 hours today.
        2026-05-15 Nora: I watched the film Paterson at last.
        2026-05-17 Nora: I ran 7 km in the Tempelhofer Feld.
        2026-05-20 Nora: I had a meeting with Frau Lindqvist about the budget.
        2026-05-23 Nora: I bought a lamp for 65 euros.
        2026-05-24 Tomás: I ran 4.5 km today.
        2026-05-29 Tomás: I flew to Berlin for the housewarming.
        2026-05-30 Tomás: I wanted to go running, but it rained all day.
        2026-05-31 Nora: Seventeen people and two dogs, in forty square metres. The neighbours brought a cake.
        2026-06-03 Nora: I bought a second-hand bicycle for 180 euros.
        2026-06-06 Tomás: I went to a concert in the Casa da Música.
        2026-06-07 Nora: I went to Potsdam by train.
        2026-06-10 Nora: I had a meeting with Frau Lindqvist about the letters.
        2026-06-12 Tomás: I bought hiking boots for 155 euros.
        2026-06-14 Nora: My run this morning was 10 km.
        2026-06-16 Nora: I worked 11 hours at the studio.
        2026-06-20 Nora: I flew to Lisbon to see Tomás.
        2026-06-21 Tomás: I will run the marathon in Berlin next year.
        2026-06-25 Nora: I met Camille for dinner in Berlin.
        2026-06-28 Nora: I finished reading Stoner.
        2026-06-30 Tomás: I drove to Porto to see my grandmother.
        2026-07-02 Nora: I had a meeting with Jonas about the scanner.
        2026-07-04 Nora: I went to a concert at the Philharmonie.
        2026-07-05 Nora: The police in Lyon found my blue bicycle!
        2026-07-08 Tomás: I paid 75 euros for mandolin strings.
        2026-07-11 Nora: I bought a book about Japanese paper for 54 euros.
        2026-07-14 Nora: I worked 8 hours.
        2026-07-15 Tomás: I went to Porto again for her garden.
        2026-07-19 Nora: I started reading Middlemarch.
        2026-07-22 Tomás: I met Madame Okafor for coffee.
        2026-07-26 Nora: I went to Dresden with Frau Lindqvist.
        2026-07-28 Tomás: I practised the mandolin for 30 minutes.
        2026-07-29 Tomás: I practised the mandolin for 45 minutes.
        2026-07-31 Nora: I went to a jazz concert.
        2026-08-01 Tomás: I practised the mandolin for an hour.
        2026-08-02 Tomás: I almost bought a drone for 400 euros, but I came to my senses.
        2026-08-05 Nora: I swam 800 metres.
        2026-08-06 Nora: I swam 1 km.
        2026-08-08 Nora: I swam 1.2 km.
        2026-08-10 Tomás: I read The Old Man and the Sea on the cliffs.
        2026-08-24 Nora: I passed the B1 exam in July.
        2026-08-30 Nora: I flew to Vienna again.
        """
}
