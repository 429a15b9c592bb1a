//! A listener whose connections can be reset from inside a request, as no HTTP server offers it.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Takes a lock; a panic elsewhere while it was held does not matter to an emulator.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, as its requests see it.
#[derive(Clone, Debug, Default)]
pub struct Connection(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    reset: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Connection {
    /// Resets the connection: the client gets a TCP RST, and its requests are dropped.
    pub fn reset(&self) {
        self.0.pull();
    }
}

impl Switch {
    fn pull(&self) {
        self.reset.store(true, Ordering::SeqCst);
        if let Some(waker) = lock(&self.reader).take() {
            waker.wake();
        }
    }

    fn check(&self, stream: &TcpStream) -> io::Result<()> {
        if !self.reset.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Linger zero makes the close that follows an RST; where it fails the client sees a plain close, which it
        // must bear just as well.
        let _ = stream.set_zero_linger();
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Connected<IncomingStream<'_, ResettableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, ResettableListener>) -> Self {
        Self(stream.io().switch.clone())
    }
}

/// Every open connection of a listener.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Switch>>>>);

impl Connections {
    /// Resets every open connection, as the death of the server's process would.
    pub fn reset_all(&self) {
        for switch in lock(&self.0).drain(..).filter_map(|weak| weak.upgrade()) {
            switch.pull();
        }
    }

    fn add(&self, switch: &Arc<Switch>) {
        let mut all = lock(&self.0);
        if all.len() == all.capacity() {
            all.retain(|weak| weak.strong_count() > 0);
        }
        all.push(Arc::downgrade(switch));
    }
}

/// Listens on loopback; its connections can be reset.
#[derive(Debug)]
pub struct ResettableListener {
    inner: TcpListener,
    connections: Connections,
}

impl ResettableListener {
    /// Binds that port of 127.0.0.1, or a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(port: Option<u16>) -> io::Result<Self> {
        let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
        Ok(Self {
            inner,
            connections: Connections::default(),
        })
    }

    /// Its open connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Listener for ResettableListener {
    type Io = ResettableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let switch = Arc::new(Switch::default());
                    self.connections.add(&switch);
                    return (ResettableStream { stream, switch }, address);
                }
                // Out of file descriptors, most likely: connections that end will give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A TCP stream that fails once its [`Connection`] was reset.
#[derive(Debug)]
pub struct ResettableStream {
    stream: TcpStream,
    switch: Arc<Switch>,
}

impl AsyncRead for ResettableStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        *lock(&this.switch.reader) = Some(cx.waker().clone());
        this.switch.check(&this.stream)?;
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.switch.check(&this.stream)?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.switch.check(&this.stream).is_err() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.switch.check(&this.stream)?;
        Pin::new(&mut this.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
