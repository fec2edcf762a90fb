/// The scripts that keep the index of blocks on a Redis server: each is one step there, whoever
/// else shares the server.
///
/// Three keys hold it. `index`, a hash: for each block its bytes, the cost of computing it, uses,
/// blocks that follow it, its value when it was last used, and the block before it. `ends`, a
/// sorted set by that value: blocks that nothing follows, which can be evicted. `totals`, a hash:
/// bytes of all blocks, their limit, and the clock that ageing goes by.
///
/// A block that is gone while others follow it stays in the index with 0 bytes, so that their
/// number is known when it comes back.
enum RedisIndexScript: String, CaseIterable {
    /// Makes room for a block and sets it; without a value, takes one in that is there. 1 if it is
    /// there then. Arguments: prefix, name, the name before, bytes, cost, 1 for a text's first
    /// block, and the value.
    case store = """
        local hash, parent, bytes, cost, first, value =
          ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7]
        local block, there = get(hash), redis.call('EXISTS', prefix .. hash) == 1
        if block and block.bytes > 0 then
          if there then return 1 end
          forget(hash)  -- The server evicted it by itself.
          block = get(hash)
        end
        if there then value = nil elseif not value then return 0 end
        -- Behind a gap it is of use to nobody: it goes first.
        if not first and redis.call('EXISTS', prefix .. parent) == 0 then cost = 0 end
        -- From here on the block before it is no end, and is not evicted for it.
        if not first then hold(parent) end
        if value then
          local set = room(bytes) and redis.pcall('SET', prefix .. hash, value)
          if not set or set.err then
            if not first then release(parent) end
            return set or 0
          end
        end
        block = {bytes = bytes, cost = cost, uses = 0, children = block and block.children or 0, parent = parent}
        rank(hash, block)
        redis.call('HINCRBY', totals, 'bytes', bytes)
        if block.children == 0 then redis.call('ZADD', ends, block.value, hash) end
        return 1
        """

    /// Counts a use of blocks. Arguments: prefix, names.
    case use = """
        for i = 2, #ARGV do
          local block = get(ARGV[i])
          if block and block.bytes > 0 then
            block.uses = block.uses + 1
            rank(ARGV[i], block)
            redis.call('ZADD', ends, 'XX', block.value, ARGV[i])
          end
        end
        return #ARGV - 1
        """

    /// Deletes blocks. Arguments: prefix, names.
    case remove = """
        for i = 2, #ARGV do
          redis.call('DEL', prefix .. ARGV[i])
          forget(ARGV[i])
        end
        return #ARGV - 1
        """

    /// Evicts until the blocks take no more than their limit. Argument: prefix.
    case trim = """
        return room(0) and 1 or 0
        """

    /// The whole script.
    var source: String { Self.functions + rawValue }

    /// What all of them use. GreedyDual-Size-Frequency (Cherkasova 1998): a block's value is the
    /// clock when it was last used plus cost × uses ÷ bytes; the clock is the highest value that was
    /// evicted, so that what rests falls behind without being looked at. Uses count up to 64: what
    /// was asked for often, once, goes too.
    private static let functions = """
        local index, ends, totals, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
        local function total(name) return tonumber(redis.call('HGET', totals, name) or '0') end
        local function get(hash)
          local text = redis.call('HGET', index, hash)
          if not text then return nil end
          local bytes, cost, uses, children, value, parent =
            string.match(text, '^(%d+) (%S+) (%d+) (%d+) (%S+) (%x+)$')
          return {bytes = tonumber(bytes), cost = tonumber(cost), uses = tonumber(uses),
            children = tonumber(children), value = tonumber(value), parent = parent}
        end
        local function put(hash, block)
          redis.call('HSET', index, hash, string.format('%d %.9g %d %d %.17g %s', block.bytes,
            block.cost, block.uses, block.children, block.value, block.parent))
        end
        local function rank(hash, block)
          block.value = total('clock') + block.cost * math.min(1 + block.uses, 64) / block.bytes
          put(hash, block)
        end
        local function hold(parent)
          local block = get(parent) or {bytes = 0, cost = 0, uses = 0, children = 0, value = 0, parent = parent}
          block.children = block.children + 1
          redis.call('ZREM', ends, parent)
          put(parent, block)
        end
        local function release(parent)
          local block = get(parent)
          if not block then return end
          block.children = block.children - 1
          if block.children <= 0 and block.bytes == 0 then
            redis.call('HDEL', index, parent)
            return
          end
          put(parent, block)
          if block.children <= 0 then redis.call('ZADD', ends, block.value, parent) end
        end
        local function forget(hash)
          local block = get(hash)
          if not block or block.bytes == 0 then return end
          redis.call('ZREM', ends, hash)
          redis.call('HINCRBY', totals, 'bytes', -block.bytes)
          block.bytes = 0
          if block.children > 0 then put(hash, block) else redis.call('HDEL', index, hash) end
          release(block.parent)
        end
        local function room(bytes)
          local limit = total('limit')
          while total('bytes') + bytes > limit do
            local lowest = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')
            if #lowest == 0 then return false end
            if tonumber(lowest[2]) > total('clock') then redis.call('HSET', totals, 'clock', lowest[2]) end
            redis.call('UNLINK', prefix .. lowest[1])
            forget(lowest[1])
          end
          return true
        end

        """
}
