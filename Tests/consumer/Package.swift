// swift-tools-version: 6.2
// A package that uses text memory alone, as somebody who depends on Mneme would write it: `make consumer`.
import PackageDescription

let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "mneme", path: "../..", traits: [])],
    targets: [
        .executableTarget(
            name: "consumer", dependencies: [.product(name: "Mneme", package: "mneme")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ])
    ])
