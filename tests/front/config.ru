# The app that tests/front/run asks: a Rack app that leaves its files to the web server in front, by Rack::Sendfile.
require 'digest'
require 'json'
require 'rack'

FILES = ENV.fetch('FILES')

# What an app is asked, as it sees it, but for what belongs to one connection.
def echo(env)
  fields = env.select { |name, _| name =~ /\A(HTTP_|CONTENT_)/ && name !~ /CONNECTION|HTTP_VERSION/ }
  body = env['rack.input'].read
  seen = { 'method' => env['REQUEST_METHOD'], 'path' => env['REQUEST_URI'], 'fields' => fields.sort,
           'body' => [body.bytesize, Digest::SHA256.hexdigest(body)] }
  [200, { 'Content-Type' => 'application/json', 'X-Echo' => '1', 'Set-Cookie' => 'echo=1' }, [JSON.generate(seen)]]
end

files = Rack::Files.new(FILES)

app = lambda do |env|
  request = Rack::Request.new(env)
  case request.path_info
  when '/'
    [200, { 'Content-Type' => 'text/html; charset=utf-8' }, ["<h1>app</h1>\n"]]
  when %r{\A/send/(.*)}
    files.call(env.merge('PATH_INFO' => "/#{$1}"))
  when %r{\A/download/(.*)}
    status, headers, body = files.call(env.merge('PATH_INFO' => "/#{$1}"))
    [status, headers.merge('Content-Disposition' => 'attachment', 'Cache-Control' => 'private', 'Set-Cookie' => "a=1\nb=2"), body]
  when '/accel'
    [request.params.fetch('status', '200').to_i, { 'Content-Type' => 'text/x-app', 'Set-Cookie' => 'app=1', 'ETag' => '"app"',
                                                  'X-Accel-Redirect' => request.params['to'] }, []]
  when '/url'
    [200, { 'Cache-Control' => 'no-store', 'X-Accel-Redirect' => '/reproxy', 'X-Reproxy-Url' => request.params['to'] }, ['never seen']]
  when '/say'
    [200, { 'Content-Type' => 'text/x-app', 'Set-Cookie' => 'app=1', 'X-App' => '1' }.merge(request.params), ["app body\n"]]
  when '/say_in_chunks'
    [200, { 'Content-Type' => 'text/x-app' }.merge(request.params), Enumerator.new { |out| out << "app body\n" }]
  when %r{\A/status/(\d+)}
    [$1.to_i, { 'Content-Type' => 'text/plain', 'X-Status' => $1, 'Location' => '/elsewhere' }, ["status #{$1}\n"]]
  when '/big'
    [200, { 'Content-Type' => 'application/octet-stream', 'Content-Length' => '5000000' }, Array.new(50) { |i| ('%05d' % i) * 20_000 }]
  when '/pieces'
    [200, { 'Content-Type' => 'text/plain' }, Enumerator.new { |out| 20.times { |i| out << "piece #{i}\n" } }]
  else
    echo(env)
  end
end

use Rack::Sendfile, 'X-Accel-Redirect', [[FILES, '/files']]
run app
