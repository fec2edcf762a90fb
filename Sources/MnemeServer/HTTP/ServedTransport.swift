import HummingbirdCore
import HummingbirdTLS
import Mneme
import NIOCore
import NIOSSL

/// How the servers of this module listen.
extension ServerConfiguration {
    /// The transport of requests: HTTP/1.1, over TLS where there is a certificate, behind
    /// ``ConnectionLimiter``.
    ///
    /// - Throws: `InputError` if the certificate or its key cannot be read.
    func transport() throws -> HTTPServerBuilder {
        let limits = connections
        let counts = ConnectionCounts()
        let plain = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [
                    ConnectionLimiter(limits: limits, counts: counts),
                    ClientWatch(grace: limits.grace),
                ],
                idleTimeout: TimeAmount(limits.idle)))
        guard let certificate else { return plain }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
                NIOSSLCertificateSource.certificate($0)
            }
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(
                    try NIOSSLPrivateKey(file: certificate.privateKey, format: .pem)))
            settings.minimumTLSVersion = .tlsv12
            return try .tls(plain, tlsConfiguration: settings)
        } catch {
            throw InputError(
                "The certificate \(certificate.chain) and its key \(certificate.privateKey) cannot be used: \(error)"
            )
        }
    }
}
