-- What wrk sends, over and over, and how it says what came back: one line of JSON.
-- Environment: BODY is the body, HEADERS has a "name: value" a line. A streamed answer must end as OpenAI ends it.
wrk.method = "POST"
wrk.body = os.getenv("BODY")
wrk.headers["content-type"] = "application/json"
for name, value in os.getenv("HEADERS"):gmatch("([^\n:]+): ([^\n]*)") do
  wrk.headers[name] = value
end

local threads = {}
broken = 0 -- streams of status 200 without their end

function setup(thread)
  table.insert(threads, thread)
end

if wrk.body:find('"stream": true', 1, true) then
  function response(status, headers, body)
    if status == 200 and not body:find("data: [DONE]", 1, true) then
      broken = broken + 1
    end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("broken")
  end
  io.write(string.format('\nLOAD {"requests": %d, "seconds": %.4f, "p50_ms": %.4f, "p99_ms": %.4f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
