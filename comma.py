import socket,hashlib,base64,zlib,time
l=socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR,1); l.bind(('127.0.0.1',18077)); l.listen()
c,_=l.accept(); b=b''
while b'\r\n\r\n' not in b: b+=c.recv(4096)
k=[x.split(b': ')[1] for x in b.split(b'\r\n') if x.lower().startswith(b'sec-websocket-key')][0]
a=base64.b64encode(hashlib.sha1(k+b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
c.sendall(b'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate, x-a\r\nSec-WebSocket-Accept: '+a+b'\r\n\r\n')
z=zlib.compressobj(9,zlib.DEFLATED,-15); d=z.compress(b'hello')+z.flush(zlib.Z_SYNC_FLUSH); d=d[:-4]
c.sendall(bytes([0xc1,len(d)])+d); time.sleep(1)
