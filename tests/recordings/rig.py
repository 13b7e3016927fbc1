"""The two ends of a recording: an app and a target that log exactly what they saw and misbehave when told to, and a raw client.

All of it speaks bytes over sockets, since a library would mend what is to be seen. Text is Latin-1, so no byte is lost.
"""
import email.utils
import hashlib
import re
import socket
import struct
import threading
import time

CLIENT_SECONDS = 5    # then a server counts as one that hangs
READ_SECONDS = 2      # for a request's body that was announced
LINGER_SECONDS = 0.5  # to see whether bytes come behind a complete response
SHOWN_BODY = 65536    # a longer one is told by its length and digest alone


def spell(text):
	"""What a case says, as bytes for the wire."""
	return text.encode() if isinstance(text, str) else text


def body_bytes(body):
	"""The bytes of a body: none, a string, or {"repeat": TEXT, "len": N}."""
	if isinstance(body, dict):
		unit = spell(body['repeat'])
		return (unit * (body['len'] // len(unit) + 1))[:body['len']]
	return spell(body or '')


def describe_body(data, into):
	"""Adds length, digest, and the text of a body that is not too long."""
	into['body_len'] = len(data)
	if data:
		into['body_sha256'] = hashlib.sha256(data).hexdigest()
	if len(data) <= SHOWN_BODY:
		into['body'] = data.decode('latin-1')


def split_head(data):
	"""(first line, [[name, value] ...]) of a head without its empty line."""
	lines = data.decode('latin-1').split('\r\n')
	fields = [[name, value.strip(' \t')] for name, _, value in (line.partition(':') for line in lines[1:])]
	return lines[0], fields


def field(fields, name):
	return next((value for key, value in fields if key.lower() == name), None)


def unchunk(data):
	"""(body, whether its end was there, what follows it)"""
	body = b''
	while True:
		line, crlf, rest = data.partition(b'\r\n')
		if not crlf or not re.match(rb'[0-9A-Fa-f]+', line):
			return body, False, b''
		size = int(re.match(rb'[0-9A-Fa-f]+', line).group(), 16)
		if size == 0:
			while True:
				line, crlf, rest = rest.partition(b'\r\n')
				if not crlf or not line:
					return body, bool(crlf), rest
		body += rest[:size]
		if len(rest) < size + 2:
			return body, False, b''
		data = rest[size + 2:]


class Peer:
	"""A server of ours, app or target: answers by a case, and keeps what it saw."""

	def __init__(self, shown, families=(socket.AF_INET,)):
		self.shown = shown
		self.lock = threading.Lock()
		self.play(None)
		self.port = 0
		self.listeners = []
		for family in families:
			listener = socket.socket(family, socket.SOCK_STREAM)
			listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			listener.bind(('127.0.0.1' if family == socket.AF_INET else '::1', self.port))
			listener.listen(64)
			self.port = listener.getsockname()[1]
			self.listeners.append(listener)
			threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

	def play(self, answers):
		"""Begins a case: hit by hit one of the functions `answers` is called with connection and request, the last one again and again."""
		with self.lock:
			self.scene = {'answers': answers, 'saw': [], 'hits': 0}
			return self.scene

	def accept(self, listener):
		while True:
			try:
				connection, _ = listener.accept()
			except OSError:
				return
			threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

	def close(self):
		for listener in self.listeners:
			listener.shutdown(socket.SHUT_RDWR)
			listener.close()

	def serve(self, connection):
		with connection:
			try:
				# Servers connect ahead: it is the first byte that belongs to a case.
				connection.settimeout(CLIENT_SECONDS * 2)
				if not connection.recv(1, socket.MSG_PEEK):
					return
				scene = self.scene
				request = self.read_request(connection)
				if not request:
					return
				with self.lock:
					turn = scene['hits']
					scene['hits'] += 1
					if turn < self.shown:
						scene['saw'].append(request)
				if scene['answers']:
					scene['answers'][min(turn, len(scene['answers']) - 1)](connection, request)
			except OSError:
				pass

	@staticmethod
	def read_request(connection):
		connection.settimeout(CLIENT_SECONDS * 2)
		data = b''
		while b'\r\n\r\n' not in data:
			piece = connection.recv(65536)
			if not piece:
				return None
			data += piece
		head, _, rest = data.partition(b'\r\n\r\n')
		line, fields = split_head(head)
		method, _, target = line.partition(' ')
		target, _, version = target.rpartition(' ')
		path, mark, query = target.partition('?')
		request = {'method': method, 'target': target, 'path': path, 'query': query if mark else None, 'version': version,
				   'host': field(fields, 'host'), 'headers': [f for f in fields if f[0].lower() != 'host']}
		body, note = Peer.read_body(connection, fields, rest)
		describe_body(body, request)
		if not body:
			del request['body']
		if note:
			request['body_note'] = note
		return request

	@staticmethod
	def read_body(connection, fields, data):
		chunked = (field(fields, 'transfer-encoding') or '').lower() == 'chunked'
		want = int(field(fields, 'content-length') or 0)
		connection.settimeout(READ_SECONDS)
		why = None
		while not why and not (unchunk(data)[1] if chunked else len(data) >= want):
			try:
				piece = connection.recv(65536)
				why = None if piece else 'closed'
				data += piece
			except socket.timeout:
				why = 'timeout'
		body = unchunk(data)[0] if chunked else data[:want]
		return body, why and 'short(%s): announced %s got %d' % (why, 'chunks' if chunked else want, len(body))


def origin(answer, request):
	"""What an origin server makes of `answer` by the request's preconditions and Range: status, fields, body."""
	fields, body = answer['headers'], body_bytes(answer['body'])
	asked = {name.lower(): value for name, value in request['headers']}
	tag, date = field(fields, 'etag'), field(fields, 'last-modified')
	if 'if-none-match' in asked:
		if tag in [t.strip() for t in asked['if-none-match'].split(',')] or asked['if-none-match'] == '*':
			return 304, fields, b''
	elif 'if-modified-since' in asked and date and parse_date(date) <= parse_date(asked['if-modified-since']):
		return 304, fields, b''
	span = re.fullmatch(r'bytes=(\d*)-(\d*)', asked.get('range', ''))
	if not span or span.groups() == ('', '') or asked.get('if-range', tag) not in (tag, date) or request['method'] not in ('GET', 'HEAD'):
		return answer['status'], fields, body
	first, last = span.groups()
	size = len(body)
	start = int(first) if first else max(0, size - int(last))
	end = min(int(last), size - 1) if first and last else size - 1
	if start >= size or start > end:
		return 416, fields + [['Content-Range', 'bytes */%d' % size]], b''
	return 206, fields + [['Content-Range', 'bytes %d-%d/%d' % (start, end, size)]], body[start:end + 1]


def parse_date(text):
	stamp = email.utils.parsedate_to_datetime(text)
	return stamp.timestamp()


REASONS = {200: 'OK', 201: 'Created', 202: 'Accepted', 203: 'Non-Authoritative Information', 204: 'No Content', 205: 'Reset Content',
		   206: 'Partial Content', 207: 'Multi-Status', 300: 'Multiple Choices', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other',
		   304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized',
		   403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict', 410: 'Gone', 412: 'Precondition Failed',
		   416: 'Range Not Satisfiable', 418: "I'm a teapot", 429: 'Too Many Requests', 451: 'Unavailable For Legal Reasons',
		   500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout'}


def answering(answer, extra=()):
	"""A function that answers a request as `answer` says, with the fields `extra` behind its own.

	answer['mode'] misbehaves: `chunked` (close-delimited to HTTP/1.0), `chunked_force`, `no_length`, `die_mid` (half of the body),
	`die_chunk` (half of the chunks), `close_silently`, `rst`, `hang`, `garbage` (the body alone, as HTTP/0.9 would).
	"""
	mode = answer.get('mode')

	def send(connection, request):
		if mode == 'hang':
			connection.settimeout(CLIENT_SECONDS * 2)
			connection.recv(1)
		if mode == 'rst':
			connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
		if mode in ('hang', 'rst', 'close_silently'):
			return
		body = body_bytes(answer.get('body'))
		if mode == 'garbage':
			connection.sendall(body)
			return
		status, fields = answer['status'], answer['headers']
		if answer.get('behavior') == 'origin':
			status, fields, body = origin(answer, request)
		fields = list(fields) + list(extra)
		chunked = mode in ('chunked_force', 'die_chunk') or mode == 'chunked' and request['version'] == 'HTTP/1.1'
		if chunked:
			fields.append(['Transfer-Encoding', 'chunked'])
			sent = b''.join(b'%x\r\n%s\r\n' % (len(body[at:at + 7]), body[at:at + 7]) for at in range(0, len(body), 7)) + b'0\r\n\r\n'
		else:
			sent = body
			if mode not in ('chunked', 'no_length') and status not in (204, 304) and not field(fields, 'content-length'):
				fields.append(['Content-Length', str(len(body))])
		head = [b'HTTP/1.1 %d %s' % (status, REASONS.get(status, 'Status').encode())]
		head += [spell(name) + b': ' + spell(value) for name, value in fields] + [b'Connection: close', b'', b'']
		if request['method'] == 'HEAD' or status in (204, 304):
			sent = b''
		elif mode in ('die_mid', 'die_chunk'):
			sent = sent[:len(sent) // 2]
		connection.sendall(b'\r\n'.join(head) + sent)
		connection.shutdown(socket.SHUT_WR)
		connection.settimeout(LINGER_SECONDS)
		while connection.recv(65536):
			pass
	return send


def ask(port, request):
	"""Sends a case's request to a port of ours. Returns what came back, in the form of the recordings."""
	body = body_bytes(request['body'])
	fields = [['Host', 'front.test']] + request['headers']
	if request['body'] is not None and not field(fields, 'transfer-encoding') and not field(fields, 'content-length'):
		fields.append(['Content-Length', str(len(body))])
	fields.append(['Connection', 'close'])
	head = ['%s %s HTTP/1.1' % (request['method'], request['path'])] + ['%s: %s' % tuple(f) for f in fields] + ['', '']
	begun = time.monotonic()
	error, data, seen_end = None, b'', None
	try:
		with socket.create_connection(('127.0.0.1', port), CLIENT_SECONDS) as connection:
			sender = threading.Thread(target=push, args=(connection, spell('\r\n'.join(head)) + body), daemon=True)
			sender.start()
			while True:
				now = time.monotonic()
				if seen_end is None and complete(data, request['method']):
					seen_end = now
				left = (seen_end + LINGER_SECONDS if seen_end else begun + CLIENT_SECONDS) - now
				if left <= 0:
					error = None if seen_end else 'timeout'
					break
				connection.settimeout(left)
				try:
					piece = connection.recv(262144)
				except socket.timeout:
					continue
				if not piece:
					break
				data += piece
	except ConnectionResetError:
		error = 'reset'
	except OSError as problem:
		error = type(problem).__name__
	took = (seen_end or time.monotonic()) - begun
	got = describe_response(data, request['method'], error)
	if took >= 2:
		got['slow_s'] = float(round(took))
	return got


def push(connection, data):
	try:
		connection.sendall(data)
	except OSError:
		pass


def final_head(data):
	"""(status line, fields, what follows) past any 1xx; None while it is not there."""
	while data.startswith(b'HTTP/') and b'\r\n\r\n' in data:
		head, _, data = data.partition(b'\r\n\r\n')
		line, fields = split_head(head)
		if not re.match(r'HTTP/1\.[01] 1\d\d', line):
			return line, fields, data
	return None


def is_empty(method, line):
	return method == 'HEAD' or re.match(r'\S+ (204|304)\b', line) is not None


def complete(data, method):
	parts = final_head(data)
	if not parts:
		return False
	line, fields, rest = parts
	if is_empty(method, line):
		return True
	if (field(fields, 'transfer-encoding') or '').lower() == 'chunked':
		return rest.endswith(b'\r\n\r\n') and unchunk(rest)[1]
	length = field(fields, 'content-length')
	return length is not None and len(rest) >= int(length)


def describe_response(data, method, error):
	parts = final_head(data)
	got = {'status': None}
	if not parts:
		if error:
			got['client_error'] = error
		got.update(raw=data.decode('latin-1'), note='no complete response head')
		return got
	line, fields, rest = parts
	version, status, reason = (line.split(' ', 2) + ['', ''])[:3]
	got.update(status=int(status), version=version, reason=reason)
	if error:
		got['client_error'] = error
	length = field(fields, 'content-length')
	whole, extra = True, b''
	if is_empty(method, line):
		framing, body = 'none', b''
		if rest:
			got['unexpected_body_bytes'] = len(rest)
	elif (field(fields, 'transfer-encoding') or '').lower() == 'chunked':
		framing = 'chunked'
		body, whole, extra = unchunk(rest)
	elif length is not None:
		framing, body, extra = 'length', rest[:int(length)], rest[int(length):]
		whole = len(body) == int(length)
	else:
		framing, body = 'close', rest
	if extra:
		got['extra_bytes'] = extra.decode('latin-1')
	got['headers'] = fields
	got['framing'] = framing
	if not whole:
		got['complete'] = False
	describe_body(body, got)
	return got
