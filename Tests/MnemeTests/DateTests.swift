import Foundation
import Mneme
import MnemeStore
import Testing

@Suite struct DateTests {
    /// Wednesday, 25 November 2026.
    private static let reference = DateText.parse("2026-11-25T12:00:00Z")!

    private func found(_ text: String, on reference: Date = Self.reference) -> [String] {
        TimeExpressions.find(in: text, reference: reference).map {
            DateText.format($0.start).prefix(10) + " " + DateText.format($0.end).prefix(10)
        }
    }

    @Test(arguments: [
        ("We meet the day after tomorrow at noon", "2026-11-27 2026-11-28"),
        ("Day after tomorrow", "2026-11-27 2026-11-28"),
        ("We met the day before yesterday", "2026-11-23 2026-11-24"),
        ("the day after Christmas", "2026-12-26 2026-12-27"),
        ("We met the Friday before last", "2026-11-13 2026-11-14"),
        ("the Friday after next", "2026-12-04 2026-12-05"),
        ("the week after next", "2026-12-07 2026-12-14"),
        ("the week before last", "2026-11-09 2026-11-16"),
        ("the weekend after next", "2026-12-12 2026-12-14"),
        ("the month before last", "2026-09-01 2026-10-01"),
        ("the year before last", "2024-01-01 2025-01-01"),
        ("the night before last", "2026-11-23 2026-11-24"),
        ("a week from Monday", "2026-12-07 2026-12-08"),
        ("a week from today", "2026-12-02 2026-12-03"),
        ("two weeks from tomorrow", "2026-12-10 2026-12-11"),
        ("three days from now", "2026-11-28 2026-11-29"),
        ("two days before Christmas", "2026-12-23 2026-12-24"),
        ("two weeks after 1 March 2027", "2027-03-15 2027-03-16"),
        ("the Sunday before Christmas", "2026-12-20 2026-12-21"),
        ("I start a week on Monday", "2026-12-07 2026-12-08"),
        ("we leave a fortnight tomorrow", "2026-12-10 2026-12-11"),
        ("see you Monday week", "2026-12-07 2026-12-08"),
        ("on Tuesday fortnight", "2026-12-15 2026-12-16"),
        ("two Sundays after Easter", "2027-04-11 2027-04-12"),
        ("the week before Christmas", "2026-12-18 2026-12-25"),
        ("six weeks from next Monday", "2027-01-11 2027-01-12"),
        ("a week before Christmas", "2026-12-18 2026-12-19"),
        ("Tuesday of the week after next", "2026-12-08 2026-12-09"),
    ])
    func `what stands before and behind a day counts`(text: String, span: String) {
        #expect(found(text) == [span])
    }

    @Test(arguments: [
        ("two Fridays ago", "2026-11-13 2026-11-14"),
        ("three weekends ago", "2026-11-07 2026-11-09"),
        ("in a fortnight", "2026-12-06 2026-12-13"),
        ("in two weeks' time", "2026-12-06 2026-12-13"),
        ("half a year ago", "2026-04-10 2026-07-10"),
        ("a year and a half ago", "2025-04-10 2025-07-10"),
        ("one and a half years ago", "2025-04-10 2025-07-10"),
        ("twenty-one days ago", "2026-11-04 2026-11-05"),
        ("a few days ago", "2026-11-20 2026-11-24"), ("2-3 weeks ago", "2026-11-01 2026-11-15"),
        ("two or three days ago", "2026-11-22 2026-11-24"),
        ("in a day or two", "2026-11-26 2026-11-28"),
        ("a decade ago", "2016-05-27 2017-05-27"), ("a week ago today", "2026-11-18 2026-11-19"),
        ("a week ago Monday", "2026-11-16 2026-11-17"),
        ("over the next two weeks", "2026-11-25 2026-12-10"),
        ("for the last three months", "2026-08-25 2026-11-26"),
        ("within two weeks", "2026-11-25 2026-12-10"),
    ])
    func `distances are read with halves, ranges and all units`(text: String, span: String) {
        #expect(found(text) == [span])
    }

    @Test(arguments: [
        ("due 31.12.2026", ["2026-12-31 2027-01-01"]), ("1.2.2027", ["2027-02-01 2027-02-02"]),
        ("20261231", ["2026-12-31 2027-01-01"]), ("2026-W48", ["2026-11-23 2026-11-30"]),
        ("2026-W53-7", ["2027-01-03 2027-01-04"]), ("2026/12/31", ["2026-12-31 2027-01-01"]),
        ("2026-12-31T23:00:00Z", ["2026-12-31 2027-01-01"]), ("2026-12", ["2026-12-01 2027-01-01"]),
        ("12/25/2026", ["2026-12-25 2026-12-26"]), ("25/12/2026", ["2026-12-25 2026-12-26"]),
        ("12/12/2026", ["2026-12-12 2026-12-13"]),
        ("12/11/2026", ["2026-11-12 2026-11-13", "2026-12-11 2026-12-12"]),
        ("12-11-2026", ["2026-11-12 2026-11-13", "2026-12-11 2026-12-12"]),
        ("week 48 of 2026", ["2026-11-23 2026-11-30"]), ("Q1 2027", ["2027-01-01 2027-04-01"]),
        ("2027 Q2", ["2027-04-01 2027-07-01"]), ("end of Q1 2027", ["2027-03-01 2027-04-01"]),
        ("the first quarter of 2027", ["2027-01-01 2027-04-01"]),
        ("H2 2027", ["2027-07-01 2028-01-01"]),
        ("summer 2024", ["2024-06-01 2024-09-01"]), ("in the 1990s", ["1990-01-01 2000-01-01"]),
        ("early June 2027", ["2027-06-01 2027-06-11"]),
        ("late next week", ["2026-12-05 2026-12-07"]),
        ("by the end of the month", ["2026-11-21 2026-12-01"]),
        ("end of 2027", ["2027-11-01 2028-01-01"]),
        ("mid-May 2027", ["2027-05-11 2027-05-22"]),
        ("the first Monday of December", ["2026-12-07 2026-12-08"]),
        ("the last Friday in May 2027", ["2027-05-28 2027-05-29"]),
        ("the last day of February 2028", ["2028-02-29 2028-03-01"]),
        ("the week of May 4, 2027", ["2027-05-03 2027-05-10"]),
        ("June 3-7, 2027", ["2027-06-03 2027-06-08"]),
        ("in May last year", ["2025-05-01 2025-06-01"]),
        ("last year in May", ["2025-05-01 2025-06-01"]),
        ("Friday, 4 December 2026", ["2026-12-04 2026-12-05"]),
        ("Tuesday next week", ["2026-12-01 2026-12-02"]),
        ("next week on Tuesday", ["2026-12-01 2026-12-02"]),
        ("Friday of last week", ["2026-11-20 2026-11-21"]),
        ("the twenty-first of May 2027", ["2027-05-21 2027-05-22"]),
        ("the 5th of next month", ["2026-12-05 2026-12-06"]),
        ("on the 5th", ["2026-12-05 2026-12-06"]),
        ("I was paid on the 5th", ["2026-11-05 2026-11-06"]),
        ("2026W48", ["2026-11-23 2026-11-30"]), ("on Friday the 27th", ["2026-11-27 2026-11-28"]),
        ("the weekend of May 8", ["2027-05-08 2027-05-10"]),
        ("in early 2027", ["2027-01-01 2027-05-01"]),
        ("Sat Nov 28", ["2026-11-28 2026-11-29"]), ("Dec. 24", ["2026-12-24 2026-12-25"]),
        ("this past Friday", ["2026-11-20 2026-11-21"]),
        ("this coming Monday", ["2026-11-30 2026-12-01"]),
    ])
    func `dates and periods are read as people write them`(text: String, spans: [String]) {
        #expect(found(text) == spans)
    }

    @Test(arguments: [
        ("Christmas Eve", "2026-12-24 2026-12-25"), ("on New Year's Eve", "2026-12-31 2027-01-01"),
        ("Good Friday 2027", "2027-03-26 2027-03-27"),
        ("Easter Monday 2026", "2026-04-06 2026-04-07"),
        ("at Christmas last year", "2025-12-25 2025-12-26"),
        ("last Halloween", "2026-10-31 2026-11-01"),
        ("next Easter", "2027-03-28 2027-03-29"), ("Thanksgiving 2026", "2026-11-26 2026-11-27"),
        ("on Black Friday", "2026-11-27 2026-11-28"),
        ("Valentine's Day 2027", "2027-02-14 2027-02-15"),
    ])
    func `days that have a name are found`(text: String, span: String) {
        #expect(found(text) == [span])
    }

    @Test(arguments: [
        ("I flew to Rome on Monday", "2026-11-23 2026-11-24"),
        ("I will fly to Rome on Monday", "2026-11-30 2026-12-01"),
        ("Ana is going to see the doctor on Tuesday", "2026-12-01 2026-12-02"),
        ("Remind me that the report is due Monday", "2026-11-30 2026-12-01"),
        ("The deadline is Monday", "2026-11-30 2026-12-01"),
        ("The deadline was Monday", "2026-11-23 2026-11-24"),
        ("I'll call her on Friday", "2026-11-27 2026-11-28"),
        ("We're meeting on Monday", "2026-11-30 2026-12-01"),
        ("We have to leave on Monday", "2026-11-30 2026-12-01"),
        ("Let's meet on Tuesday", "2026-12-01 2026-12-02"),
        ("The meeting was moved to Thursday", "2026-11-26 2026-11-27"),
        ("I booked a table for Saturday", "2026-11-28 2026-11-29"),
        ("The shop is closed on Monday", "2026-11-30 2026-12-01"),
        ("On Monday it rained", "2026-11-23 2026-11-24"),
        ("We finished at 5 p.m. on Monday", "2026-11-23 2026-11-24"),
        ("I have finished the book on Sunday", "2026-11-22 2026-11-23"),
        ("Dentist on Monday at 9", "2026-11-30 2026-12-01"),
        ("My flight leaves on Sunday", "2026-11-29 2026-11-30"),
        ("We saw Ben, the report is due Monday", "2026-11-30 2026-12-01"),
        ("What did Ana do on Friday?", "2026-11-20 2026-11-21"),
        ("We were in Rome over the weekend", "2026-11-21 2026-11-23"),
        ("We will rest over the weekend", "2026-11-28 2026-11-30"),
        ("I will move in March", "2027-03-01 2027-04-01"),
        ("I moved in December", "2025-12-01 2026-01-01"),
        ("We'll marry on May 8", "2027-05-08 2027-05-09"),
        ("We married on 24 December", "2025-12-24 2025-12-25"),
    ])
    func `a day without a year or week lies where the verb says`(text: String, span: String) {
        #expect(found(text) == [span])
    }

    @Test(arguments: [
        "Standup every Monday at 9", "every other Tuesday", "each Friday", "Mondays", "on Mondays",
        "Monday mornings",
        "I work Monday to Friday", "open Mon-Fri", "the first Monday of every month",
        "weekly on Tuesday",
        "every 5th of May",
        "I usually swim on Sunday", "every two weeks on Thursday", "every second Thursday",
        "on Tuesdays and Thursdays",
    ])
    func `what recurs is no date`(text: String) { #expect(found(text).isEmpty) }

    @Test(arguments: [
        "the following Friday", "the Friday before the wedding", "the day after the party",
        "that Friday",
        "the Friday meeting",
        "Super Tuesday", "more than a year ago", "three quarters of a year ago", "not last week",
        "one Sunday",
        "another Monday",
        "the 5th floor", "on the 5th attempt", "a Christmas tree", "I built it in three days",
        "This may take a while",
        "12/11/26", "1.2.3", "99/99/9999", "2026-W60", "31.02.2026", "Friday the 13th",
        "said on Wednesday",
        "I met April and June", "at the end of the day", "the last Friday of our trip",
        "at the end of that week",
        "Q1 FY2027", "Ana said she comes on Friday", "We could meet on Monday",
        "version 10.4.2026.1", "in 5 minutes",
        "the previous Friday", "next to last week", "not on Friday", "many years ago",
        "the other day",
        "day after day after day after day", "the second half",
    ])
    func `an unknown word beside a known one gives nothing rather than a wrong date`(text: String) {
        #expect(found(text).isEmpty, "\(found(text))")
    }

    @Test func `two dates of one text are both found`() {
        #expect(
            found("We left last Friday and come back the day after tomorrow.") == [
                "2026-11-20 2026-11-21", "2026-11-27 2026-11-28",
            ])
        #expect(
            found("In 2024 we met. On 3 May 2025 we married.") == [
                "2024-01-01 2025-01-01", "2025-05-03 2025-05-04",
            ])
    }

    @Test(arguments: [
        ("2026-03-10T22:30:00-08:00", "I arrived yesterday", "2026-03-09 2026-03-10"),
        ("2026-03-10T07:30:00+09:00", "We signed it today", "2026-03-10 2026-03-11"),
        ("2026-03-10T23:30:00-0500", "We fly tomorrow", "2026-03-11 2026-03-12"),
        ("2026-03-10T00:30:00+05:30", "I ate there last night", "2026-03-09 2026-03-10"),
        ("2026-12-31T20:00:00-10:00", "I quit this year", "2026-01-01 2027-01-01"),
        ("2026-03-10T22:30:00Z", "I arrived yesterday", "2026-03-09 2026-03-10"),
    ])
    func `days are those of the speaker's clock, however the message comes`(
        time: String, text: String, span: String
    )
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        let zoned = try #require(ZonedTime(time))
        var input = MemoryInput(text)
        input.setTime(zoned)
        func spans(_ cube: MemCube) -> [String] {
            cube.dates.map {
                DateText.format($0.start).prefix(10) + " " + DateText.format($0.end).prefix(10)
            }
        }
        let cube = try await memory.remember([input], scope: Scope())[0].memory
        #expect(spans(cube) == [span] && cube.eventTime == DateText.parse(time))
        // It is kept: what is read again later gives the same days.
        #expect(
            try memory.store.cube(cube.id, owner: Owner(), asOf: nil, by: .local)?.utcOffset
                == zoned.utcOffset)
        let corrected = try await memory.correct(cube.id, with: text + " indeed", owner: Owner())
        #expect(spans(corrected) == [span])
        await memory.close(deadline: .zero)
    }

    @Test func `a long text of time words is read in linear time`() {
        let clock = ContinuousClock()
        for word in [
            "monday ", "day after ", "last ", "the ", "every ", "a ", "end of ", "in ",
            "12/11/2026 ", "may 5 ",
        ] {
            let text = String(repeating: word, count: 20_000)
            let took = clock.measure {
                _ = TimeExpressions.find(in: text, reference: Self.reference)
            }
            #expect(took < .seconds(10), "\(word) \(took)")
        }
    }
}
