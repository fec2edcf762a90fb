// swift-tools-version: 6.2
// 6.2 is the lowest version that lets a dependent build a target with `unsafeFlags`.
import Foundation
import PackageDescription

/// Settings of every Swift target.
var swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
// Warnings are errors under the compiler that this is written with: other versions warn of other
// things, and nobody's first build may fail for that. What a dependency deprecates in a newer
// version stays a warning. Packages that depend on this one see neither (SE-0480).
#if compiler(>=6.3) && compiler(<6.4)
    swiftSettings += [
        .treatAllWarnings(as: .error), .treatWarning("DeprecatedDeclaration", as: .warning),
    ]
#endif

/// hiredis by pkg-config, where it is not among the system's headers, as Homebrew has it. Elsewhere
/// its file for pkg-config would only add a flag that SwiftPM refuses with a warning in each build.
let hiredis = FileManager.default.fileExists(atPath: "/usr/include/hiredis/hiredis.h") ? nil : "hiredis"

/// PostgreSQL's client library, where its headers are on this machine: whoever has them gets the store
/// in PostgreSQL, and nobody needs them.
let hasPostgres = [
    "/usr/include/postgresql", "/usr/include", "/usr/local/include", "/opt/homebrew/opt/libpq/include",
].contains { FileManager.default.fileExists(atPath: $0 + "/libpq-fe.h") }

let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
/// Locks on pthreads: the thread sanitizer does not see Swift's `Mutex`, which is built on futexes.
let locks = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// Dependencies of what speaks HTTP: the server, the command line and fetching models. Without the
/// trait nobody resolves them.
let server = TargetDependencyCondition.when(traits: ["Server"])
let httpClient = Target.Dependency.product(
    name: "AsyncHTTPClient", package: "async-http-client", condition: server)
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio", condition: server)
let nioHTTP = Target.Dependency.product(
    name: "NIOHTTP1", package: "swift-nio", condition: server)
let nioPosix = Target.Dependency.product(
    name: "NIOPosix", package: "swift-nio", condition: server)
let nioSSL = Target.Dependency.product(
    name: "NIOSSL", package: "swift-nio-ssl", condition: server)
let metrics = Target.Dependency.product(
    name: "CoreMetrics", package: "swift-metrics", condition: server)
let configuration = Target.Dependency.product(
    name: "Configuration", package: "swift-configuration", condition: server)

let package = Package(
    name: "mneme",
    platforms: [.macOS(.v15)],
    products: [
        // Memory: `Mneme` alone is enough to remember and recall.
        .library(name: "Mneme", targets: ["Mneme"]),
        .library(name: "MnemeCube", targets: ["MnemeCube"]),
        .library(name: "MnemePipeline", targets: ["MnemePipeline"]),
        .library(name: "MnemeRecipes", targets: ["MnemeRecipes"]),
        .library(name: "MnemeStore", targets: ["MnemeStore"]),
        .library(name: "MnemeIndex", targets: ["MnemeIndex"]),
        .library(name: "MnemeSeal", targets: ["MnemeSeal"]),
        .library(name: "MnemeBase", targets: ["MnemeBase"]),
        .library(name: "MnemeCache", targets: ["MnemeCache"]),
        .library(name: "MnemeTesting", targets: ["MnemeTesting"]),
        // Models.
        .library(name: "MnemeEngine", targets: ["MnemeEngine"]),
        .library(name: "MnemeKV", targets: ["MnemeKV"]),
        .library(name: "MnemeModels", targets: ["MnemeModels"]),
        .library(name: "MnemeEmbedding", targets: ["MnemeEmbedding"]),
        .library(name: "MnemeFormats", targets: ["MnemeFormats"]),
        .library(name: "MnemeText", targets: ["MnemeText"]),
        .library(name: "MnemeHub", targets: ["MnemeHub"]),
        .library(name: "MnemeNumerics", targets: ["MnemeNumerics"]),
        // Where both meet, and what serves them to others.
        .library(name: "MnemeChat", targets: ["MnemeChat"]),
        .library(name: "MnemeTrain", targets: ["MnemeTrain"]),
        .library(name: "MnemeServer", targets: ["MnemeServer"]),
        .executable(name: "mneme", targets: ["mneme-cli"]),
    ],
    traits: [
        .trait(
            name: "Server",
            description: "What speaks HTTP: the products MnemeServer, MnemeHub and mneme."),
        .trait(
            name: "Postgres",
            description: "The product MnemePostgres, and `--store postgres://` of mneme. It links libpq, and is on by "
                + "default where libpq's headers are installed."),
        .default(enabledTraits: hasPostgres ? ["Server", "Postgres"] : ["Server"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(
            url: "https://github.com/apple/swift-configuration.git", from: "1.4.0", traits: []),
        // No traits: Mneme has its own configuration and needs only essential Foundation there.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1",
            traits: []),
    ],
    targets: [
        // The kernels are tested and used in debug builds too, where clang's -O0 makes them
        // twenty times slower; hence -O3 in every configuration.
        .target(name: "CMnemeKernels", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Wextra"])]),
        .systemLibrary(
            name: "CHiredis", pkgConfig: hiredis,
            providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        // Snowball comes without a file for pkg-config.
        .systemLibrary(
            name: "CStemmer", providers: [.apt(["libstemmer-dev"]), .brew(["snowball"])]),

        .target(name: "MnemeBase"),
        .target(name: "MnemeSeal", dependencies: ["MnemeBase", crypto]),
        .target(name: "MnemeNumerics", dependencies: ["CMnemeKernels"]),
        .target(name: "MnemeFormats", dependencies: ["MnemeBase", "MnemeNumerics"]),
        .target(name: "MnemeText", dependencies: ["MnemeBase", "MnemeFormats"]),
        .target(
            name: "MnemeEmbedding",
            dependencies: [
                "MnemeBase", "MnemeFormats", "MnemeText", "MnemeNumerics", crypto, locks,
            ]),
        .target(
            name: "MnemeModels",
            dependencies: [
                "MnemeBase", "MnemeFormats", "MnemeText", "MnemeNumerics", crypto, locks,
            ]),
        .target(name: "MnemeHub", dependencies: ["MnemeBase", "CZlib", crypto, httpClient, nio, nioHTTP, nioPosix]),
        .target(
            name: "MnemeIndex",
            dependencies: [
                "MnemeBase", "MnemeSeal", "MnemeNumerics", "CMnemeKernels", "CMnemeMemory",
                "CMnemeLanguages", "CStemmer", locks,
            ]),
        .target(name: "MnemeCube", dependencies: [locks]),
        // Stages see values: neither of these two can reach a store, vectors or a model.
        .target(name: "MnemePipeline", dependencies: ["MnemeBase", "MnemeCube"]),
        .target(name: "MnemeRecipes", dependencies: ["MnemeBase", "MnemeCube", "MnemePipeline"]),
        .target(
            name: "MnemeStore",
            dependencies: [
                "MnemeBase", "MnemeCube", "MnemeSeal", "CMnemeSQLite", crypto, locks,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        // Answers of language models, kept by their questions.
        .target(
            name: "MnemeCache",
            dependencies: [
                "MnemeBase", "MnemeIndex", "MnemeSeal", "MnemeStore", crypto, locks,
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .target(
            name: "Mneme",
            dependencies: [
                "CMnemeLanguages", "MnemeBase", "MnemeCube", "MnemeSeal", "MnemeEmbedding",
                "MnemeIndex", "MnemePipeline", "MnemeRecipes", "MnemeStore", crypto,
                cryptoExtras, locks,
                logging, tracing,
            ]),
        .target(name: "CMnemeMemory"),
        .target(name: "CMnemeSQLite"),
        // The tables become bytes of the program, see `languages.c`.
        .target(name: "CMnemeLanguages", exclude: ["dates", "tables"]),
        // The files in `web` become bytes of the program, see `viewer.c`.
        .target(name: "CMnemeViewer", exclude: ["web"]),
        .target(
            name: "MnemeKV",
            dependencies: [
                "MnemeBase", "MnemeIndex", "MnemeSeal", "MnemeModels", "MnemeNumerics", "CHiredis",
                "CMnemeKernels", "CMnemeMemory",
                crypto, locks, nio, nioPosix, nioSSL,
            ]),
        .target(
            name: "MnemeEngine",
            dependencies: ["MnemeBase", "MnemeKV", "MnemeModels", "MnemeNumerics", locks]),
        .target(
            name: "MnemeTrain",
            dependencies: [
                "MnemeBase", "MnemeEmbedding", "MnemeFormats", "MnemeModels", "MnemeNumerics", "MnemeText",
                "CMnemeKernels", crypto,
            ]),
        .target(
            name: "MnemeChat",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeCube", "MnemeEngine", "MnemeIndex", "MnemeKV", "MnemeModels", "MnemeStore",
                "MnemeTrain", tracing,
            ]),
        .target(
            name: "MnemeServer",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeCache", "MnemeChat", "MnemeEngine", "MnemeHub", "MnemeKV",
                "MnemeModels",
                "MnemeStore", "CMnemeViewer", crypto, locks,
                logging,
                tracing,
                .product(name: "Hummingbird", package: "hummingbird", condition: server),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: server),
                .product(name: "HummingbirdTLS", package: "hummingbird", condition: server),
                nioSSL,
                .product(name: "JWTKit", package: "jwt-kit", condition: server),
                .product(name: "HTTPTypes", package: "swift-http-types", condition: server),
                nio, metrics,
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras", condition: server),
            ]
        ),
        .target(
            name: "MnemeBench",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeCache", "MnemeCube", "MnemePipeline", "MnemeRecipes", "MnemeEmbedding",
                "MnemeEngine",
                "MnemeFormats", "MnemeIndex", "MnemeKV", "MnemeModels", "MnemeNumerics", "MnemeSeal", "MnemeStore",
                "MnemeTrain",
                "CMnemeKernels", locks,
            ]),
        .executableTarget(
            name: "mneme-cli",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeCache", "MnemeRecipes", "MnemeChat", "MnemeEngine", "MnemeHub", "MnemeKV",
                "MnemeSeal", "MnemeServer",
                "MnemeBench", "MnemeEmbedding", "MnemeFormats", "MnemeModels",
                "MnemeStore", "MnemeText", "MnemeTrain", crypto, locks, logging, tracing,
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: server),
                configuration,
            ]
        ),
        // What every store, embedder, KV tier and stage must do, as checks for one's own tests.
        .target(
            name: "MnemeTesting",
            dependencies: ["MnemeBase", "MnemeCube", "MnemeKV", "MnemePipeline", "MnemeStore"]),

        .testTarget(name: "MnemeBaseTests", dependencies: ["MnemeBase"]),
        .testTarget(name: "MnemeNumericsTests", dependencies: ["CMnemeKernels", "MnemeNumerics"]),
        .testTarget(
            name: "MnemeIndexTests",
            dependencies: ["MnemeBench", "MnemeIndex", "MnemeSeal", locks]),
        .testTarget(
            name: "MnemeRecipesTests",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeBench", "MnemeCube", "MnemePipeline", "MnemeRecipes",
                "MnemeTesting",
            ]),
        .testTarget(
            name: "MnemeBenchTests",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeBench", "MnemeCache", "MnemeEngine", "MnemePipeline",
            ],
            resources: [.copy("Golden")]),
        .testTarget(
            name: "MnemeTests",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeIndex", "MnemeModels", "MnemePipeline", "MnemeSeal", "MnemeStore",
                crypto, locks,
            ],
            resources: [.copy("Dates"), .copy("Guard"), .copy("Languages")]),
        .testTarget(
            name: "MnemeServerTests",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeBench", "MnemeCache", "MnemeChat", "MnemeCube", "MnemeEmbedding",
                "MnemeEngine", "MnemeIndex", "MnemeKV", "MnemeModels", "MnemeNumerics", "MnemeRecipes", "MnemeSeal",
                "MnemeServer",
                "MnemeStore", "MnemeText", "MnemeTrain", locks, logging, nio,
                .product(name: "Hummingbird", package: "hummingbird", condition: server),
                .product(name: "HTTPTypes", package: "swift-http-types", condition: server),
            ]
        ),
        .testTarget(
            name: "MnemeKVTests",
            dependencies: [
                "MnemeBase", "MnemeKV", "MnemeModels", "MnemeNumerics", "MnemeSeal", "MnemeTesting",
                locks,
            ]),
        .testTarget(
            name: "MnemeEngineTests",
            dependencies: [
                "MnemeBase", "MnemeBench", "MnemeEngine", "MnemeKV", "MnemeModels", "MnemeNumerics",
            ],
            resources: [.copy("Golden")]),
        .testTarget(
            name: "MnemeHubTests",
            dependencies: [
                "MnemeBase", "MnemeHub", "MnemeModels", crypto, locks,
                .product(name: "Hummingbird", package: "hummingbird", condition: server),
            ]),
        .testTarget(
            name: "MnemeCacheTests",
            dependencies: ["MnemeBase", "MnemeCache", "MnemeSeal", "MnemeStore", locks]),
        .testTarget(
            name: "MnemeStoreTests",
            dependencies: [
                "MnemeBase", "MnemeSeal", "MnemeStore", "MnemeTesting", crypto,
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .testTarget(
            name: "MnemeTrainTests",
            dependencies: [
                "CMnemeKernels", "MnemeBase", "MnemeBench", "MnemeEmbedding", "MnemeFormats", "MnemeModels",
                "MnemeNumerics", "MnemeTrain",
            ],
            exclude: ["Golden"]),
        .testTarget(
            name: "MnemeModelsTests",
            dependencies: [
                "MnemeBase", "MnemeEmbedding", "MnemeModels", "MnemeNumerics", "MnemeTesting",
            ],
            resources: [.copy("Golden")]),
    ],
    swiftLanguageModes: [.v6]
)

// SwiftPM builds every target of the root package, whichever traits are on: without libpq there are
// none of these.
if hasPostgres {
    let isDebian = FileManager.default.fileExists(atPath: "/usr/include/postgresql/libpq-fe.h")
    package.products.append(.library(name: "MnemePostgres", targets: ["MnemePostgres"]))
    let postgres = TargetDependencyCondition.when(traits: ["Postgres"])
    package.targets += [
        .systemLibrary(
            name: "CLibPQ", pkgConfig: isDebian ? nil : "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        .target(name: "MnemePostgres", dependencies: ["CLibPQ", "MnemeSeal", "MnemeStore", crypto, locks]),
        .testTarget(
            name: "MnemePostgresTests",
            dependencies: [
                "Mneme", "MnemeBase", "MnemeBench", "MnemePostgres", "MnemeSeal", "MnemeStore", "MnemeTesting",
                crypto, locks,
            ]),
    ]
    package.targets.first { $0.name == "mneme-cli" }?.dependencies.append(
        .target(name: "MnemePostgres", condition: postgres))
}

for target in package.targets where target.type != .system && target.name != "CMnemeKernels" {
    target.swiftSettings = swiftSettings
}
