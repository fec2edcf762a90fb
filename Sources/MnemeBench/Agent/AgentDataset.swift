import Foundation
import Mneme
import MnemeBase

/// The published data of LoCoBench-Agent on disk: scenarios (`output/agent_scenarios/*.json` or
/// `output/scenarios/*.json`), and the projects that they are about (`generated/PROJECT/project_metadata.json` with
/// its files).
public struct AgentDataset: Sendable {
    /// The files of scenarios, by name.
    public let scenarios: [String]
    /// Folders in which projects are looked for.
    private let projects: [String]

    /// Bytes of a project's files and of one of them, and of a scenario, at most.
    private static let projectBytes = 64 << 20, fileBytes = 4 << 20, scenarioBytes = 128 << 20

    /// Finds the scenarios of a folder, or takes one file; projects are looked for beside it and, if it is named,
    /// in another folder.
    ///
    /// - Throws: `InputError` if there is no scenario.
    public init(_ path: String, projects folder: String? = nil) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw InputError("\(path) cannot be read. Is it there?")
        }
        var bases = folder.map { [$0, $0 + "/generated"] } ?? []
        if isFolder.boolValue {
            let places = ["output/agent_scenarios", "output/scenarios", "agent_scenarios", "scenarios", "."]
            scenarios =
                places.lazy.map { Self.files(path + "/" + $0) }.first { !$0.isEmpty } ?? []
            bases += [path + "/generated", path]
        } else {
            scenarios = [path]
            let folder = (path as NSString).deletingLastPathComponent
            // A scenario of the published folder stands two folders below generated/.
            let here = folder.isEmpty ? "." : folder
            bases += [here, here + "/generated", here + "/../generated", here + "/../../generated"]
        }
        projects = bases
        guard !scenarios.isEmpty else {
            throw InputError(
                "\(path) holds no scenarios: neither output/agent_scenarios nor output/scenarios nor JSON files.")
        }
    }

    /// JSON files of a folder by name, a project's list of files left out.
    private static func files(_ folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".json") && $0 != "project_metadata.json" }.sorted()
            .map { folder + "/" + $0 }
    }

    /// The scenario of a file with its project's files.
    ///
    /// - Throws: `InputError` that names the file, and says what is wrong with it or its project.
    public func scenario(_ number: Int) throws -> AgentScenario {
        let path = scenarios[number]
        let name = (path as NSString).lastPathComponent
        guard let data = Self.contents(path, Self.scenarioBytes) else {
            throw InputError("\(name) cannot be read, or is larger than \(Self.scenarioBytes >> 20) MiB.")
        }
        do {
            var scenario = try AgentScenario(JSONValue(parsing: [UInt8](data)), number)
            if scenario.files.isEmpty { scenario.files = try files(of: scenario) }
            return scenario
        } catch let error as InputError { throw InputError("\(name): \(error.message)") }
    }

    /// Categories that stand in an id behind the project's name.
    private static let categories = [
        "architectural_understanding", "bug_investigation", "code_comprehension", "cross_file_refactoring",
        "feature_implementation", "integration_testing", "multi_session_development", "security_analysis",
    ]

    /// The project that a scenario's id begins with: what stands before its category, or four parts.
    static func project(of id: String) -> String {
        for category in categories {
            if let place = id.range(of: "_\(category)_") { return String(id[..<place.lowerBound]) }
        }
        return id.split(separator: "_").prefix(4).joined(separator: "_")
    }

    /// The files of a scenario's project, by path; those that are no UTF-8 text are left out.
    private func files(of scenario: AgentScenario) throws -> [String: String] {
        let name = try AgentScenario.path(Self.project(of: scenario.id))
        let folders = projects.flatMap { base in [base + "/" + name] + Self.longer(base, name) }
        guard let folder = folders.first(where: { Self.contents($0 + "/project_metadata.json", 1 << 30) != nil }),
            let data = Self.contents(folder + "/project_metadata.json", Self.projectBytes)
        else { throw InputError("Its project '\(name)' is not there: name the folder of projects with --projects.") }
        let list = try BenchFields(JSONValue(parsing: [UInt8](data))).list("files") ?? []
        var files: [String: String] = [:]
        // What lies beyond the bound is left out, as a model could not read it either.
        var left = Self.projectBytes
        for entry in list {
            guard let text = try BenchFields(entry).text("path") else { continue }
            let path = try AgentScenario.path(text)
            guard let bytes = Self.contents(folder + "/" + path, Self.fileBytes), bytes.count <= left,
                let content = String(data: bytes, encoding: .utf8)
            else { continue }
            left -= bytes.count
            files[path] = content
        }
        guard !files.isEmpty else { throw InputError("Its project '\(name)' has no files that can be read.") }
        return files
    }

    /// Folders whose names begin with the project's.
    private static func longer(_ base: String, _ name: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        return names.filter { $0.hasPrefix(name + "_") }.sorted().map { base + "/" + $0 }
    }

    /// The bytes of a regular file; nil if it is none, a link, or too large.
    private static func contents(_ path: String, _ most: Int) -> Data? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular, let size = attributes?[.size] as? Int,
            size <= most
        else { return nil }
        return FileManager.default.contents(atPath: path)
    }
}
