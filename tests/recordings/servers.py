"""The servers that are recorded: those of Debian 12, each an ordinary process on free ports, configured as its column says."""
import os
import re
import shutil
import socket
import subprocess
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


# What every nginx here has: the app in front of everything, files, a location with a fixed URI, one with a name.
NGINX = '''
daemon off; master_process off; pid %(dir)s/nginx.pid; error_log %(dir)s/error.log;
events { worker_connections 512; }
http {
	access_log off; default_type application/x-default;
	client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/fastcgi;
	uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
	proxy_read_timeout 3s; proxy_connect_timeout 3s; proxy_send_timeout 3s;
	server {
		listen 127.0.0.1:%(port)d;
		location / {
			proxy_pass http://127.0.0.1:%(app)d;
%(scrub)s		}
		location /files/ { internal; alias %(files)s/; }
		location /fixed/ { internal; proxy_pass http://127.0.0.1:%(target)d/base/; }
		location @named { proxy_pass http://127.0.0.1:%(target)d; }
%(reproxy)s	}
}
'''

# As the README of the gem Rack::Reproxy says it.
NGINX_README = '''		location /reproxy {
			internal;
			set $reproxy_url $upstream_http_x_reproxy_url;
			proxy_pass $reproxy_url;
		}
'''

NGINX_SCRUB = '''			proxy_set_header X-Reproxy-Url "";
			proxy_set_header X-Accel-Redirect "";
			proxy_set_header X-Reproxied "";
'''

NGINX_HARDENED = '''		location = /reproxy {
			internal;
			set $reproxy_url $upstream_http_x_reproxy_url;
			proxy_pass $reproxy_url;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_set_header Content-Type "";
			proxy_set_header Cookie "";
			proxy_set_header Authorization "";
			proxy_set_header X-Reproxied 1;
			proxy_hide_header X-Reproxy-Url;
			proxy_hide_header X-Reproxied;
			proxy_ignore_headers X-Accel-Redirect;
		}
'''

H2O = '''
listen: { host: 127.0.0.1, port: %(port)d }
pid-file: %(dir)s/h2o.pid
error-log: %(dir)s/error.log
num-threads: 1
%(user)sreproxy: ON
proxy.timeout.io: 3000
hosts:
  "*":
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:%(app)d/
'''

PERLBAL = '''
CREATE POOL apps
POOL apps ADD 127.0.0.1:%(app)d
CREATE SERVICE front
  SET role = reverse_proxy
  SET listen = 127.0.0.1:%(port)d
  SET pool = apps
  SET enable_reproxy = true
ENABLE front
'''

LIGHTTPD = '''
server.modules = ( "mod_proxy" )
server.document-root = "%(files)s"
server.bind = "127.0.0.1"
server.port = %(port)d
server.errorlog = "%(dir)s/error.log"
server.upload-dirs = ( "%(dir)s" )
proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => %(app)d )) )
'''

APACHE = '''
ServerRoot %(dir)s
ServerName 127.0.0.1
Listen 127.0.0.1:%(port)d
PidFile %(dir)s/apache.pid
ErrorLog %(dir)s/error.log
DefaultRuntimeDir %(dir)s
Mutex file:%(dir)s default
LoadModule mpm_event_module %(modules)s/mod_mpm_event.so
LoadModule authz_core_module %(modules)s/mod_authz_core.so
LoadModule proxy_module %(modules)s/mod_proxy.so
LoadModule proxy_http_module %(modules)s/mod_proxy_http.so
LoadModule reproxy_module %(module)s
ProxyTimeout 3
AllowEncodedSlashes On
ProxyPass / http://127.0.0.1:%(app)d/
AllowReproxy On
PreserveHeaders Content-Type Content-Disposition ETag Last-Modified
'''


def urls_emission(url):
	"""Apache, Perlbal and H2O take the URL as it is."""
	return [['X-Reproxy-Url', url], ['X-Reproxied', '1']]


def nginx_emission(url):
	return [['X-Accel-Redirect', '/reproxy']] + urls_emission(url)


def lighttpd_emission(url):
	"""lighttpd's needs the URL in parts, host without port. None where an app cannot take it apart, and so fails."""
	parts = re.fullmatch(r'(?i:https?)://(?:[^/@]*@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?([/?](?:[!-$&-;=?-\]_a-z~]|%[0-9A-Fa-f]{2})*)?', url)
	if not parts:
		return None
	rest = parts[2] or '/'
	return urls_emission(url) + [['X-Rewrite-Host', parts[1].strip('[]')], ['X-Rewrite-URI', rest if rest[0] == '/' else '/' + rest]]


MODULES = '/usr/lib/apache2/modules'

# key: (program, arguments, configuration, emission, what it is)
SERVERS = {
	'nginx': ('nginx', ['-e', '%(dir)s/error.log', '-p', '%(dir)s', '-c', '%(conf)s'], (NGINX, '', NGINX_README), nginx_emission,
		'the gem README\'s location block verbatim'),
	'nginx_hardened': ('nginx', ['-e', '%(dir)s/error.log', '-p', '%(dir)s', '-c', '%(conf)s'], (NGINX, NGINX_SCRUB, NGINX_HARDENED),
		nginx_emission, 'a hardened /reproxy location'),
	'apache24': ('apache2', ['-X', '-f', '%(conf)s'], (APACHE,), urls_emission, 'mod_reproxy of this project'),
	'h2o': ('h2o', ['-c', '%(conf)s'], (H2O,), urls_emission, 'reproxy: ON'),
	'perlbal': ('perlbal', ['--config=%(conf)s'], (PERLBAL,), urls_emission, 'enable_reproxy = true'),
	'lighttpd14': ('lighttpd', ['-D', '-f', '%(conf)s'], (LIGHTTPD,), lighttpd_emission, 'mod_proxy, which knows no reproxy'),
}

PACKAGES = {'nginx': ['nginx'], 'nginx_hardened': ['nginx'], 'apache24': ['apache2', 'apache2-dev'], 'h2o': ['h2o'], 'perlbal': ['perlbal'],
	'lighttpd14': ['lighttpd']}


def package_version(key):
	asked = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', PACKAGES[key][0]], capture_output=True, text=True)
	return asked.stdout.strip() or 'of unknown version'


class Server:
	"""One of them, running in a folder of its own."""

	def __init__(self, key, folder, app, target, module):
		self.key = key
		program, self.arguments, texts, self.emission, what = SERVERS[key]
		self.program = shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/usr/local/sbin')
		if not self.program:
			raise FileNotFoundError('%s is not installed' % program)
		self.title = '%s %s, %s' % (program, package_version(key), what)
		self.folder = os.path.join(folder, key)
		files = os.path.join(self.folder, 'files')
		os.makedirs(files)
		make_files(files)
		self.port = free_port()
		self.names = {'dir': self.folder, 'conf': os.path.join(self.folder, 'server.conf'), 'files': files, 'port': self.port, 'app': app,
			'target': target, 'modules': MODULES, 'module': module}
		# Started by root, a server would change to another user, who may not enter the folder.
		self.names['user'] = 'user: root\n' if os.geteuid() == 0 else ''
		if len(texts) == 3:
			self.names.update(scrub=texts[1], reproxy=texts[2])
		with open(self.names['conf'], 'w') as conf:
			conf.write(texts[0] % self.names)
		self.process = None

	def start(self):
		with open(os.path.join(self.folder, 'output'), 'ab') as output:
			self.process = subprocess.Popen([self.program] + [a % self.names for a in self.arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
		for _ in range(200):
			if self.process.poll() is not None:
				break
			try:
				socket.create_connection(('127.0.0.1', self.port), 1).close()
				return
			except OSError:
				time.sleep(0.05)
		with open(os.path.join(self.folder, 'output'), errors='replace') as output:
			said = output.read()[-2000:]
		self.stop()
		raise RuntimeError('%s does not start: %s' % (self.key, said))

	def has_died(self):
		try:
			self.process.wait(0.3)
			return True
		except subprocess.TimeoutExpired:
			return False

	def stop(self):
		if self.process and self.process.poll() is None:
			self.process.terminate()
			try:
				self.process.wait(3)
			except subprocess.TimeoutExpired:
				self.process.kill()
				self.process.wait()
		self.process = None


def make_files(folder):
	"""The files that a server may send by itself, of one time, so that their tags stay the same."""
	for name, text in (('hello.txt', 'file from nginx\n'), ('page.html', '<p>page</p>\n'), ('a b.txt', 'blank\n'), ('empty.txt', ''),
			('ten.bin', '0123456789')):
		path = os.path.join(folder, name)
		with open(path, 'w') as file:
			file.write(text)
		os.utime(path, (1000000000, 1000000000))
