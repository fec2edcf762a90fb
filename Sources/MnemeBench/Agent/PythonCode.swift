/// What LoCoBench-Agent's metrics look for in a file of code: names, definitions, calls and imports, found by
/// patterns and not by a parser, as its authors do.
extension PythonText {
    /// Words like `snake_case`, and words like `camelCase`.
    var namingStyles: (snake: Int, camel: Int) {
        var styles = (snake: 0, camel: 0)
        for run in runs {
            let word = scalars[run]
            guard let first = word.first, Self.isLower(first) else { continue }
            if word.allSatisfy({ Self.isLower($0) || $0 == "_" }) {
                // A part of a name stands on both sides of the first underscore.
                if let place = word.firstIndex(of: "_"), place + 1 < word.endIndex { styles.snake += 1 }
            } else if word.allSatisfy({ Self.isLower($0) || Self.isUpper($0) }) {
                // An upper-case letter behind the second place.
                if word.dropFirst(2).contains(where: Self.isUpper) { styles.camel += 1 }
            }
        }
        return styles
    }

    private static func isLower(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) }
    private static func isUpper(_ scalar: Unicode.Scalar) -> Bool { ("A"..."Z").contains(scalar) }

    /// Names behind `def`, wherever these three letters stand.
    ///
    /// - Parameter isCalled: true asks for an opening bracket behind the name.
    func definitions(isCalled: Bool) -> [String] {
        var names: [String] = []
        var place = scalars.startIndex
        while place + 3 < scalars.endIndex {
            guard scalars[place] == "d", scalars[place + 1] == "e", scalars[place + 2] == "f" else {
                place += 1
                continue
            }
            let start = skippingBlanks(place + 3)
            let end = scalars[start...].firstIndex { !Self.isWord($0) } ?? scalars.endIndex
            let next = isCalled ? skippingBlanks(end) : end
            // Where there is no name, the next letter may begin another "def".
            guard start > place + 3, end > start, !isCalled || (next < scalars.endIndex && scalars[next] == "(") else {
                place += 1
                continue
            }
            names.append(text(start..<end))
            place = isCalled ? next + 1 : end
        }
        return names
    }

    /// Names before opening brackets.
    var calls: [String] {
        var names: [String] = []
        for run in runs {
            let next = skippingBlanks(run.upperBound)
            if next < scalars.endIndex, scalars[next] == "(" { names.append(text(run)) }
        }
        return names
    }

    /// Whether a line imports: `import x` or `from x`.
    var isImport: Bool { stripped.starts("import ", "from ") }

    /// Whether a name or a dot follows the word of a line that imports.
    var isValidImport: Bool {
        let line = stripped
        let word = line.starts("import") ? 6 : 4
        let start = line.scalars.startIndex + word
        let name = line.skippingBlanks(start)
        guard name > start, name < line.scalars.endIndex else { return false }
        return Self.isWord(line.scalars[name]) || line.scalars[name] == "."
    }
}
