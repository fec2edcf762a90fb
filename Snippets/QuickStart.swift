// Remember a sentence and ask for it, in five lines.
import Mneme

let memory = try await MemoryOS.open("memory.db", embedder: .miniLM)
try await memory.remember("Ana moved to Lisbon.", for: "ana")
let answer = try await memory.recall("Where does Ana live?", for: "ana")
print(answer.memories[0].text, answer.memories[0].explanation)
