import Foundation

/// Makes the answer of the happenings that fit: counts, sums, orders, groups.
struct AskGoal {
    private let plan: AskPlan
    /// By time, at least one.
    private let fitting: [Happening]

    init(_ plan: AskPlan, _ fitting: [Happening]) {
        self.plan = plan
        self.fitting = fitting
    }

    /// Sets the answer's text and values.
    func fill(_ answer: inout AskAnswer) {
        switch plan.goal {
        case .count(let what): count(what, &answer)
        case .sum(let kind, let unit): sum(kind, unit, isAverage: false, &answer)
        case .average(let kind): sum(kind, nil, isAverage: true, &answer)
        case .amount(let kind):
            if fitting.count > 1 { answer.doubts.append("there are \(fitting.count) of them") }
            sum(kind, nil, isAverage: false, &answer)
        case .extremes(let order, let count, let wantsTime): extremes(order, count, wantsTime, &answer)
        case .most(let group, let weight, let least): most(group, weight, least, &answer)
        case .time:
            answer.items = fitting.map { item($0) }
            answer.time = fitting[0].time.lowerBound
            if fitting.count > 1 { answer.doubts.append("there are \(fitting.count) of them; this is the first") }
            dayIsVague(fitting[0], &answer)
            answer.text = AskCalendar.name(fitting[0].time.lowerBound)
        case .list:
            answer.items = distinct(isPlaces ? .place : isPeople ? .person : .object).map(\.item)
            answer.text = answer.items.map(\.label).joined(separator: ", ")
        case .order(let items, let firstOnly, let lastOnly): order(items, firstOnly, lastOnly, &answer)
        case .isBefore(let first, let second, let isSwapped):
            guard let a = pick(first, &answer), let b = pick(second, &answer) else { return }
            answer.memories = [a.memory, b.memory]
            answer.items = [item(a), item(b)].sorted { ($0.time ?? .distantPast) < ($1.time ?? .distantPast) }
            if a.time.overlaps(b.time) { answer.doubts.append("both were at the same time") }
            answer.truth = (a.time.lowerBound < b.time.lowerBound) != isSwapped
            answer.text = answer.truth == true ? "Yes" : "No"
        case .exceeds(let bound):
            sum(bound.kind ?? .distance, plan.unit, isAverage: false, &answer)
            let size = plan.unit?.size ?? 1
            answer.truth = answer.value.map { bound.holds($0 * size) }
            answer.text = (answer.truth == true ? "Yes: " : "No: ") + answer.text
        }
    }

    private var isPlaces: Bool { plan.actions.contains("travel") }
    private var isPeople: Bool { plan.actions.contains("meet") || plan.actions.contains("meeting") }

    /// A happening as a line of the answer.
    private func item(_ happening: Happening, amount: AskAmount? = nil) -> AskAnswer.Item {
        let shown = amount ?? happening.amounts.first
        return AskAnswer.Item(
            label: happening.label, amount: shown.map { $0.unit.text($0.value) }, time: happening.time.lowerBound,
            memories: [happening.memory])
    }

    private func dayIsVague(_ happening: Happening, _ answer: inout AskAnswer) {
        if happening.time.upperBound.timeIntervalSince(happening.time.lowerBound) > 2 * 86_400 {
            answer.doubts.append("its day is not told")
        }
    }

    // MARK: Counting and adding

    private func count(_ what: AskPlan.Count, _ answer: inout AskAnswer) {
        switch what {
        case .happenings:
            answer.items = fitting.map { item($0) }
            answer.value = Double(fitting.count)
            // "three books", "a lot"
            if plan.actions == ["read"], fitting.contains(where: { !($0.object.first?.isUppercase ?? false) }) {
                answer.doubts.append("not every memory names what was read")
            }
        case .things(let noun):
            let quantities = fitting.map { ($0.quantities[noun] ?? nil) }
            if quantities.contains(nil) { answer.doubts.append("a memory does not say how many") }
            answer.items = fitting.map { item($0) }
            answer.value = quantities.reduce(0) { $0 + ($1 ?? 1) }
        case .different(let group):
            answer.items = distinct(group).map(\.item)
            answer.value = Double(answer.items.count)
            if fitting.contains(where: { names(group, $0).isEmpty }) { answer.doubts.append("a memory names none") }
        case .actors:
            answer.items = distinct(.actor).map(\.item)
            answer.value = Double(answer.items.count)
        }
        answer.text = AskUnit.number(answer.value ?? 0)
    }

    private func sum(_ kind: AskAmount.Kind, _ unit: AskUnit?, isAverage: Bool, _ answer: inout AskAnswer) {
        let counted = fitting.compactMap { happening in happening.amount(kind).map { (happening, $0) } }
        guard let first = counted.first else {
            answer.doubts.append("no memory of it names such an amount")
            answer.text = "No memory tells of it"
            return
        }
        if counted.count < fitting.count {
            answer.doubts.append("\(fitting.count - counted.count) of \(fitting.count) name no such amount")
        }
        if Set(counted.map(\.1.kind)).count > 1 { answer.doubts.append("the amounts are of several currencies") }
        let total = counted.reduce(0) { $0 + $1.1.value }
        let shown = unit ?? first.1.unit
        let value = (isAverage ? total / Double(counted.count) : total) / shown.size
        answer.value = (value * 1000).rounded() / 1000
        answer.unit = shown.name
        answer.text = AskUnit.number(value) + " " + shown.name
        answer.items = counted.map { item($0, amount: $1) }
        answer.memories = counted.map(\.0.memory)
    }

    // MARK: First, last, largest

    private func extremes(_ order: AskPlan.Order, _ count: Int, _ wantsTime: Bool, _ answer: inout AskAnswer) {
        var ranked: [(happening: Happening, amount: AskAmount?)]
        switch order {
        case .time(let last):
            ranked = fitting.map { ($0, nil) }
            if last { ranked.reverse() }
            let times = ranked.map(\.happening.time)
            if times.count > count, times[count - 1].overlaps(times[count]) {
                answer.doubts.append("two were at the same time")
            }
        case .amount(let kind, let smallest):
            let wanted = kind ?? fitting.lazy.flatMap(\.amounts).first?.kind
            guard let wanted else {
                answer.doubts.append("no memory of it names an amount")
                answer.text = "No memory tells of it"
                return
            }
            ranked = fitting.compactMap { happening in happening.amount(wanted).map { (happening, $0) } }
            if ranked.count < fitting.count {
                answer.doubts.append("\(fitting.count - ranked.count) of \(fitting.count) name no amount")
            }
            let kinds = Set(ranked.compactMap { $0.amount?.kind })
            if kinds.count > 1 { answer.doubts.append("the amounts are of several currencies") }
            ranked.sort { a, b in
                let (x, y) = (a.amount?.value ?? 0, b.amount?.value ?? 0)
                return x == y ? a.happening.time.lowerBound < b.happening.time.lowerBound : smallest ? x < y : x > y
            }
            if ranked.count > count, ranked[count - 1].amount?.value == ranked[count].amount?.value {
                answer.doubts.append("two are equal")
            }
        }
        if ranked.count < count { answer.doubts.append("there are only \(ranked.count)") }
        let chosen = ranked.prefix(count)
        answer.items = chosen.map { item($0.happening, amount: $0.amount) }
        guard let best = chosen.first else { return }
        if wantsTime { dayIsVague(best.happening, &answer) }
        answer.time = best.happening.time.lowerBound
        if count == 1, let amount = best.amount {
            answer.value = ((amount.value / amount.unit.size) * 1000).rounded() / 1000
            answer.unit = amount.unit.name
        }
        answer.text =
            wantsTime
            ? AskCalendar.name(best.happening.time.lowerBound)
            : answer.items.map { item in
                let parts = [item.label, item.amount ?? ""].filter { !$0.isEmpty }
                return parts.isEmpty ? item.time.map(AskCalendar.name) ?? "" : parts.joined(separator: ", ")
            }.joined(separator: "; ")
    }

    // MARK: Groups

    private func names(_ group: AskPlan.Group, _ happening: Happening) -> [String] {
        switch group {
        case .actor: [happening.actor.map { $0.prefix(1).uppercased() + $0.dropFirst() } ?? "I"]
        case .place: happening.places
        case .person: happening.people
        case .month: [AskCalendar.month(happening.time.lowerBound)]
        case .object: [happening.label]
        }
    }

    /// The members of a group in the order of their first happening.
    private func distinct(_ group: AskPlan.Group) -> [(item: AskAnswer.Item, happenings: [Happening])] {
        var found: [(item: AskAnswer.Item, happenings: [Happening])] = []
        for happening in fitting {
            for name in names(group, happening) {
                if let place = found.firstIndex(where: {
                    $0.item.label.lowercased() == name.lowercased() && !name.isEmpty
                }) {
                    found[place].item.memories.append(happening.memory)
                    found[place].happenings.append(happening)
                } else {
                    var item = item(happening)
                    item.label = name
                    found.append((item, [happening]))
                }
            }
        }
        return found
    }

    private func most(_ group: AskPlan.Group, _ weight: AskPlan.Weight, _ least: Bool, _ answer: inout AskAnswer) {
        let groups = distinct(group)
        var weighed: [(item: AskAnswer.Item, value: Double)] = []
        for (item, happenings) in groups {
            var item = item
            switch weight {
            case .count:
                weighed.append((item, Double(happenings.count)))
                item.amount = "\(happenings.count)"
            case .amount(let kind):
                let amounts = happenings.compactMap { $0.amount(kind) }
                if amounts.count < happenings.count { answer.doubts.append("a memory names no such amount") }
                if Set(amounts.map(\.kind)).count > 1 { answer.doubts.append("the amounts are of several currencies") }
                let total = amounts.reduce(0) { $0 + $1.value }
                item.amount = amounts.first?.unit.text(total)
                weighed.append((item, total))
            }
            weighed[weighed.count - 1].item = item
        }
        weighed.sort { least ? $0.value < $1.value : $0.value > $1.value }
        if weighed.count > 1, weighed[0].value == weighed[1].value { answer.doubts.append("two have equally many") }
        if weighed.count == 1 { answer.doubts.append("the memories tell of one only") }
        guard let best = weighed.first else { return }
        answer.items = [best.item]
        answer.text = [best.item.label, best.item.amount.map { "(\($0))" } ?? ""].joined(separator: " ")
    }

    // MARK: Order

    /// The happening that an item of the question names.
    private func pick(_ item: [String], _ answer: inout AskAnswer) -> Happening? {
        let found = fitting.filter { happening in item.allSatisfy(happening.stems.contains) }
        if found.count > 1 { answer.doubts.append("there are \(found.count) of one of them; the first was taken") }
        if found.isEmpty {
            answer.doubts.append("no memory tells of one of them")
            answer.text = "No memory tells of one of them"
        }
        return found.first
    }

    private func order(_ items: [[String]], _ firstOnly: Bool, _ lastOnly: Bool, _ answer: inout AskAnswer) {
        var found: [Happening] = []
        for item in items {
            guard let happening = pick(item, &answer) else { return }
            found.append(happening)
        }
        found.sort { $0.time.lowerBound < $1.time.lowerBound }
        if zip(found, found.dropFirst()).contains(where: { $0.time.overlaps($1.time) }) {
            answer.doubts.append("two were at the same time")
        }
        answer.memories = found.map(\.memory)
        if firstOnly { found = [found[0]] }
        if lastOnly { found = [found[found.count - 1]] }
        answer.items = found.map { item($0) }
        answer.time = firstOnly || lastOnly ? found[0].time.lowerBound : nil
        answer.text = answer.items.map(\.label).joined(separator: ", ")
    }
}
