//! TLS behind the proxy, to a server that insists on it: one end of a pair of sockets is handed out, and what goes
//! through the other is encrypted. So all else of the proxy knows plain sockets only.

#[cfg(feature = "tls")]
pub(super) use encrypted::open;

#[cfg(not(feature = "tls"))]
pub(super) async fn open(_: tokio::net::TcpStream, host: &str) -> std::io::Result<tokio::net::UnixStream> {
    let text = format!("{host} is to be reached with TLS, and this build has none: build with `--features tls`");
    Err(std::io::Error::other(text))
}

#[cfg(feature = "tls")]
mod encrypted {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
    use std::io::{self, ErrorKind};
    use std::sync::Arc;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
    use tokio::net::{TcpStream, UnixStream};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    /// What a client sends first: eight bytes, the second half 80877103.
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    /// The largest first packet, and far more than a first answer has.
    const MAX_BYTES: u32 = 10_000;

    /// Asks for TLS and shakes hands; the end that is handed out speaks plain text. It ends when either side does.
    pub(in crate::engine::proxy) async fn open(mut socket: TcpStream, host: &str) -> io::Result<UnixStream> {
        socket.write_all(&SSL_REQUEST).await?;
        if socket.read_u8().await? != b'S' {
            return Err(io::Error::other(format!("{host} speaks no TLS: use sslmode=disable")));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut encrypted = TlsConnector::from(config()?).connect(name, socket).await?;
        let (ours, mut theirs) = UnixStream::pair()?;
        tokio::spawn(async move {
            // An error is the end of one side, which the other learns by the end of this.
            if greet(&mut theirs, &mut encrypted).await.is_ok() {
                let _ = copy_bidirectional(&mut theirs, &mut encrypted).await;
            }
        });
        Ok(ours)
    }

    /// The first packet, and the first answer. Over TLS a server offers to bind passwords to the connection; a client
    /// that has none takes that for an attack, so the offer is left out.
    async fn greet(client: &mut UnixStream, server: &mut TlsStream<TcpStream>) -> io::Result<()> {
        let length = client.read_u32().await?;
        server.write_all(&[&length.to_be_bytes()[..], &body(client, length).await?].concat()).await?;
        server.flush().await?;
        let tag = server.read_u8().await?;
        let length = server.read_u32().await?;
        let body = unbound(tag, body(server, length).await?);
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        client.write_all(&[&[tag], &length.to_be_bytes()[..], &body].concat()).await
    }

    /// What follows a length that counts itself.
    async fn body(from: &mut (impl AsyncRead + Unpin), length: u32) -> io::Result<Vec<u8>> {
        let length = length.checked_sub(4).filter(|length| *length <= MAX_BYTES).ok_or(ErrorKind::InvalidData)?;
        let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        from.read_exact(&mut body).await?;
        Ok(body)
    }

    /// The answer without the offer, if it is one: an authentication request of kind 10, and names that end with 0.
    fn unbound(tag: u8, body: Vec<u8>) -> Vec<u8> {
        match body.split_at_checked(4) {
            Some((kind, names)) if tag == b'R' && kind == [0, 0, 0, 10] => {
                let others = names.split_inclusive(|byte| *byte == 0).filter(|name| !name.ends_with(b"-PLUS\0"));
                [kind, &others.collect::<Vec<_>>().concat()].concat()
            }
            _ => body,
        }
    }

    /// As libpq takes `sslmode=require`: encrypted, by whomever.
    fn config() -> io::Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let versions = versions.map_err(io::Error::other)?;
        let anybody = Arc::new(Anybody(provider));
        Ok(Arc::new(versions.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth()))
    }

    /// Takes every certificate, and checks that who shows it has its key.
    #[derive(Debug)]
    struct Anybody(Arc<CryptoProvider>);

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::unbound;

        #[test]
        fn the_offer_to_bind_a_password_is_left_out_and_nothing_else() {
            let request = |names: &[u8]| [&[0, 0, 0, 10], names].concat();
            let both = request(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
            assert_eq!(unbound(b'R', both.clone()), request(b"SCRAM-SHA-256\0\0"));
            assert_eq!(unbound(b'E', both.clone()), both);
            let plain = [0, 0, 0, 3].to_vec();
            assert_eq!(unbound(b'R', plain.clone()), plain);
        }
    }
}
