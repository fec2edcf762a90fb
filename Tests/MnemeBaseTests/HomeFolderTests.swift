import Foundation
import MnemeBase
import Testing

@Suite struct HomeFolderTests {
    @Test func `an empty MNEME_HOME counts as not set`() {
        let standard = NSHomeDirectory() + "/.mneme"
        #expect(HomeFolder.path(in: [:]) == standard)
        #expect(HomeFolder.path(in: ["MNEME_HOME": ""]) == standard)
        #expect(HomeFolder.path(in: ["MNEME_HOME": "/srv/mneme"]) == "/srv/mneme")
    }
}
