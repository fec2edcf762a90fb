import Foundation
import Mneme
import MnemeBase

extension BenchFormat {
    /// MEMTRACK (Deshpande et al. 2025): a timeline of events on several platforms (Slack, Linear, Git, …),
    /// interleaved by time, with conflicts and references from one to the other, and questions asked behind it.
    ///
    /// Three figures: Correctness (of answers), Efficiency (recalls for a question; fewer is better) and
    /// Redundancy (the share of memories that an earlier recall of the same question had brought). Recall is
    /// asked again with the names that it brought, three times at most.
    ///
    /// The data is not public as far as is known; members are read by the names that the paper uses, and
    /// by those that are common for the same: see `docs/benches.md`.
    public static let memTrack: BenchFormat = {
        var format = BenchFormat(
            name: "memtrack", title: "MEMTRACK (Deshpande et al. 2025, arXiv:2510.01353)",
            source: "not published as far as is known; a JSON list of timelines (docs/benches.md)",
            sample: memTrackSample)
        format.read = { record, number in [try timeline(record, number)] }
        format.score = { answer, question in
            ["correctness": TextScore.best(question.answers) { TextScore.contains(answer, $0) }]
        }
        format.calls = 3
        format.judged =
            "The authors judge correctness by a model; without one, it says whether the reference stands in the answer."
        format.recognises = { ($0["events"] ?? $0["timeline"])?.array != nil }
        return format
    }()

    /// One timeline, its events by time.
    private static func timeline(_ record: JSONValue, _ number: Int) throws -> BenchEpisode {
        let fields = try BenchFields(record)
        let events = try fields.require("events", fields.list("events") ?? fields.list("timeline"))
        let turns = try events.enumerated().map { i, event in try turn(event, i) }
        // Events without a time stay behind the one before them.
        var last = Date.distantPast
        let times = turns.map { turn in
            last = turn.time ?? last
            return last
        }
        let order = turns.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        var episode = BenchEpisode(
            id: try fields.answer("id") ?? "timeline-\(number + 1)", turns: order.map { turns[$0] }, questions: [])
        let known = Set(turns.map(\.id))
        episode.questions = try fields.require("questions", fields.list("questions")).enumerated().map { i, value in
            let asked = try BenchFields(value)
            var question = BenchQuestion(
                id: try asked.answer("id") ?? "q\(i + 1)", text: try asked.require("question", asked.text("question")),
                category: try asked.text("category") ?? "timeline", answers: try asked.answers("answer"))
            question.evidence = known.intersection(try asked.texts("evidence") ?? [])
            question.outdated = try asked.answers("outdated")
            return question
        }
        return episode
    }

    /// One event; what else it holds than platform, time and text stands before the text.
    private static func turn(_ event: JSONValue, _ place: Int) throws -> BenchTurn {
        let fields = try BenchFields(event)
        func first(_ names: [String]) throws -> String? { try names.lazy.compactMap { try fields.text($0) }.first }
        let platform = try first(["platform", "source", "tool", "app"]) ?? "timeline"
        let time = try ["timestamp", "time", "created_at"].lazy.compactMap { try fields.answer($0) }.first
        let title = try ["channel", "ticket", "repository", "branch", "title", "status"].compactMap { name in
            try fields.answer(name).map { "\(name) \($0)" }
        }
        let text = try fields.require("text", first(["text", "content", "message", "body", "description"]))
        let turn = BenchTurn(
            id: try fields.answer("id") ?? "e\(place + 1)", session: platform,
            speaker: try first(["author", "user", "sender", "actor", "assignee"]),
            text: "[\(([platform] + title).joined(separator: ", "))] \(text)")
        return turn.at(time.flatMap(BenchTime.date))
    }
}

/// A timeline of our own with a conflict and a reference across platforms.
private let memTrackSample = #"""
    [{"id": "own-1", "events": [
       {"id": "s1", "platform": "slack", "channel": "#checkout", "author": "priya", "timestamp": "2024-06-03T09:12:00Z", "text": "Refunds fail for vouchers. I opened a ticket, SHOP-88."},
       {"id": "l1", "platform": "linear", "ticket": "SHOP-88", "author": "priya", "timestamp": "2024-06-03T09:15:00Z", "status": "todo", "text": "Voucher refunds return error 502. Assigned to Tomas."},
       {"id": "s2", "platform": "slack", "channel": "#random", "author": "lena", "timestamp": "2024-06-03T12:00:00Z", "text": "The plants in the kitchen want water."},
       {"id": "l2", "platform": "linear", "ticket": "SHOP-88", "author": "lead", "timestamp": "2024-06-04T08:00:00Z", "status": "in progress", "text": "Reassigned from Tomas to Akira, Tomas is on leave."},
       {"id": "g1", "platform": "git", "repository": "shop", "branch": "fix/voucher-rounding", "author": "akira", "timestamp": "2024-06-05T16:40:00Z", "text": "Round voucher amounts before the refund call. Closes SHOP-88."},
       {"id": "s3", "platform": "slack", "channel": "#checkout", "author": "akira", "timestamp": "2024-06-06T10:05:00Z", "text": "The cause was rounding of amounts, not the gateway as we thought on Monday."}],
      "questions": [
       {"question": "Who is SHOP-88 assigned to now?", "answer": "Akira", "outdated": ["Tomas"], "evidence": ["l2"], "category": "conflict"},
       {"question": "On which branch was the ticket about voucher refunds closed?", "answer": "fix/voucher-rounding", "evidence": ["g1"], "category": "cross-platform"},
       {"question": "What was the cause of the failing refunds?", "answer": "rounding of amounts", "evidence": ["s3"], "category": "conflict"}]}]
    """#
