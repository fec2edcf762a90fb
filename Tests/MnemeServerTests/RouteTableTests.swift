import Foundation
import Mneme
import MnemeServer
import MnemeStore
import Testing

/// What one table of routes promises of every row, whichever API it is of.
@Suite struct RouteTableTests {
    @Test func `every route refuses a key without its permission, and the audit log says so`()
        async throws
    {
        try await withServer(
            keys: [("nothing", [], "ana")], change: { $0.requestsPerMinute = 0 }
        ) { base, secrets, memory in
            let document = try await send("GET", base.appendingPathComponent("openapi.json")).json
            var wanted = 0
            for (path, methods) in try #require(document["paths"]?.object) {
                for (method, description) in methods.object ?? [:] {
                    let url = try #require(
                        URL(
                            string: base.absoluteString
                                + path.replacing("{", with: "").replacing("}", with: "")))
                    let body = ["post", "put", "patch"].contains(method) ? Data("{}".utf8) : nil
                    let without = try await send(method.uppercased(), url, body)
                    if description["security"] == nil {
                        #expect(without.status == 401, "\(method) \(path)")
                    } else {
                        #expect(without.status == 200, "\(method) \(path)")
                    }
                    guard description["x-permission"] != nil else { continue }
                    wanted += 1
                    let name = "row-\(wanted)"
                    let answer = try await send(
                        method.uppercased(), url, body, key: secrets[0],
                        headers: ["X-Request-ID": name])
                    #expect(answer.status == 403, "\(method) \(path)")
                }
            }
            #expect(wanted > 60)
            try memory.store.flush()
            var refused: [String] = []
            var position: Int64 = 0
            while true {
                let page = try memory.store.auditEntries(after: position, limit: 100, by: .local)
                refused += page.filter { $0.outcome == .refused }.compactMap(\.request)
                guard let last = page.last else { break }
                position = last.position
            }
            #expect(refused.count == wanted && Set(refused).count == wanted)
        }
    }
}
